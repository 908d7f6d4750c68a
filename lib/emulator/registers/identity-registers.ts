/**
 * Identification registers with rules of their own (arch/arm64/kvm/sys_regs.c); the feature registers are digits with
 * recorded rules.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { sysRegId } from '../../abi/register-id.ts';
import type { WriteRule } from '../profile.ts';
import type { RegisterAccess, Storage } from '../state.ts';
import type { SpecialRegister } from './register-access.ts';
import { plainRegister } from './write-rules.ts';

/** The vCPU's id in the affinity fields, at most 16 in the lowest (`reset_mpidr`). */
const mpidr: SpecialRegister = ({ cell, scope }) => ({
  ...plainRegister({ cell, scope }),
  reset: ({ id }) =>
    BigInt(0x8000_0000 + (id & 0xf) + (((id >> 4) & 0xff) << 8) + (((id >> 12) & 0xff) << 16)),
});

/** CLIDR_EL1 (`set_clidr`): 63:47 are RES0. */
const CLIDR_RES0 = 0xffff_8000_0000_0000n;
const field = (value: bigint, shift: bigint) => (value >> shift) & 7n;
const LOUIS = 21n;
const LOC = 24n;
const LOUU = 27n;

const clidr: SpecialRegister = ({ cell, scope, profile }) => {
  if (profile.behaviours.clidr === 'fixed') return undefined;
  const plain = plainRegister({ cell, scope });
  return {
    ...plain,
    set(vcpu, value) {
      const claimsIdc = field(value, LOC) === 0n || (field(value, LOUIS) === 0n && field(value, LOUU) === 0n);
      if ((value & CLIDR_RES0) !== 0n || (profile.behaviours.clidr === 'level' && claimsIdc))
        return -ERRNO.EINVAL;
      return plain.set(vcpu, value);
    },
  };
};

/** A register with another rule for writes once the VM's identity is unlocked (`set_imp_id_reg`). */
export function withUnlocking(
  { cell, scope, unlocked }: Storage & { readonly unlocked: WriteRule | null | undefined },
  locked: RegisterAccess,
): RegisterAccess {
  if (unlocked === undefined) return locked;
  const free = plainRegister({ cell, scope, ...(unlocked && { write: unlocked }) });
  return {
    ...locked,
    set: (vcpu, value) => (vcpu.vm.identityUnlocked ? free : locked).set(vcpu, value),
  };
}

/** The special identification registers, by id. */
export const identityRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  [sysRegId(3, 0, 0, 0, 5), mpidr],
  [sysRegId(3, 1, 0, 0, 1), clidr],
];
