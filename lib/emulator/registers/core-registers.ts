/**
 * `struct kvm_regs`: general-purpose and FP/SIMD registers, as `set_core_reg` has them (arch/arm64/kvm/guest.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { CORE_PSTATE, coreRegId } from '../../abi/register-id.ts';
import { KVM_ARM_VCPU } from '../../abi/vcpu-features.ts';
import type { RegisterAccess, VcpuState } from '../state.ts';
import { hasFeature, type SpecialContext, type SpecialRegister } from './register-access.ts';
import { plainRegister } from './write-rules.ts';

/** Byte offsets in the struct (Documentation/virt/kvm/api.rst 4.68). */
const PC = coreRegId(256);
const X = Array.from({ length: 31 }, (_, n) => coreRegId(8 * n));
const OTHERS = [248, 272, 280, 288, 296, 304, 312, 320].map(offset => coreRegId(offset));
const V = Array.from({ length: 32 }, (_, n) => coreRegId(336 + 16 * n, 16));
const FP_STATUS = [coreRegId(848, 4), coreRegId(852, 4)];

/** PSTATE.M: 4:0 (`PSR_AA32_MODE_MASK`). */
const MODE_MASK = 0x1fn;

type ModeRule = 'aarch64' | 'el2' | 'aarch32-user' | 'aarch32-privileged';

/** Which modes there are, and what a vCPU must be to have them; all others are EINVAL. */
const MODES: Readonly<Record<number, ModeRule>> = {
  0: 'aarch64', // EL0t
  4: 'aarch64', // EL1t
  5: 'aarch64', // EL1h
  8: 'el2', // EL2t
  9: 'el2', // EL2h
  16: 'aarch32-user',
  17: 'aarch32-privileged', // FIQ
  18: 'aarch32-privileged', // IRQ
  19: 'aarch32-privileged', // SVC
  23: 'aarch32-privileged', // ABT
  27: 'aarch32-privileged', // UND
  31: 'aarch32-privileged', // SYS
};

function modeAllowed(vcpu: VcpuState, mode: number): boolean {
  const has = (bit: number) => hasFeature(vcpu, bit);
  const is32Bit = has(KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT);
  switch (MODES[mode]) {
    case 'aarch64':
      return !is32Bit;
    case 'el2':
      return has(KVM_ARM_VCPU.KVM_ARM_VCPU_HAS_EL2) && !is32Bit;
    case 'aarch32-user':
      return vcpu.vm.host.profile.behaviours.aarch32User;
    case 'aarch32-privileged':
      return is32Bit;
    default:
      return false;
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** X registers that are R0 to R14 in an AArch32 mode (`vcpu_reg_offsets`, arch/arm64/kvm/regmap.c of Linux 5.10). */
const BANKS: Readonly<Record<number, readonly number[]>> = {
  16: range(0, 14), // USR
  17: [...range(0, 7), ...range(24, 30)], // FIQ
  18: [...range(0, 12), 17, 16], // IRQ
  19: [...range(0, 12), 19, 18], // SVC
  23: [...range(0, 12), 21, 20], // ABT
  27: [...range(0, 12), 23, 22], // UND
  31: range(0, 14), // SYS
};
const ALL = range(0, 30);

/** In an AArch32 mode the kernel cuts the registers to 32 bits after each write of any core register. */
function narrow(vcpu: VcpuState): void {
  const registers = vcpu.configuration!.registers;
  const mode = Number(vcpu.cells[registers.get(CORE_PSTATE)!.cell]! & MODE_MASK);
  const bank = BANKS[mode];
  if (bank === undefined) return;
  const isUserOrSys = mode === 16 || mode === 31;
  const narrowed = isUserOrSys || vcpu.vm.host.profile.behaviours.bankedNarrowing ? bank : ALL;
  for (const id of [...narrowed.map(n => X[n]!), PC]) {
    const { cell } = registers.get(id)!;
    vcpu.cells[cell] = BigInt.asUintN(32, vcpu.cells[cell]!);
  }
}

const core = ({ cell, scope }: SpecialContext): RegisterAccess => ({
  ...plainRegister({ cell, scope }),
  set(vcpu, value) {
    vcpu.cells[cell] = value;
    narrow(vcpu);
    return 0;
  },
});

const pstate: SpecialRegister = context => {
  const plain = core(context);
  return {
    ...plain,
    set: (vcpu, value) =>
      modeAllowed(vcpu, Number(value & MODE_MASK)) ? plain.set(vcpu, value) : -ERRNO.EINVAL,
  };
};

/** The core registers, by id. */
export const coreRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  ...[...X, ...OTHERS, ...V, ...FP_STATUS, PC].map(id => [id, core] as const),
  [CORE_PSTATE, pstate],
];
