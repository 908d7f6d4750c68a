/**
 * SVE: the vector lengths of a vCPU, which are fixed when it is finalized, and the registers that are there from then on
 * (`{get,set}_sve_vls`, `{get,set}_sve_reg`, arch/arm64/kvm/guest.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { encodeRegisterId } from '../../abi/register-id.ts';
import type { SpecialRegister } from './register-access.ts';

/** KVM_REG_ARM64_SVE_VLS: bit n stands for a vector length of n + 1 quadwords. */
export const SVE_VLS = sveRegId('vls', 0, 64);

function sveRegId(register: 'vls' | 'z' | 'p' | 'ffr', n: number, bytes: number): bigint {
  return encodeRegisterId({ kind: 'sve', arch: 'arm64', register, n, slice: 0, bytes });
}

/** The greatest vector length of a set, in quadwords; 0 for none. */
export function greatestVq(lengths: bigint): number {
  return lengths.toString(2).replace(/^0$/, '').length;
}

/** The lengths up to one. */
function upTo(vq: number, lengths: bigint): bigint {
  return BigInt.asUintN(vq, lengths);
}

/** A host's lengths cannot be hidden one by one: only the greatest can be chosen, and before the vCPU is finalized. */
const vectorLengths: SpecialRegister = ({ cell, scope }) => ({
  cell,
  scope,
  get: vcpu => upTo(vcpu.sveMaxVq, vcpu.configuration!.resets[cell]!),
  set(vcpu, value) {
    if (vcpu.sveFinalized) return -ERRNO.EPERM;
    const host = vcpu.configuration!.resets[cell]!;
    const vq = greatestVq(value);
    if (vq === 0 || vq > greatestVq(host) || value !== upTo(vq, host)) return -ERRNO.EINVAL;
    vcpu.sveMaxVq = vq;
    return 0;
  },
});

/** What lies beyond the vCPU's vector length reads as zero and is ignored when written. */
const vector =
  (bitsPerQuadword: number): SpecialRegister =>
  ({ cell, scope }) => ({
    cell,
    scope,
    get: vcpu => (vcpu.sveFinalized ? vcpu.cells[cell]! : -ERRNO.EPERM),
    set(vcpu, value) {
      if (!vcpu.sveFinalized) return -ERRNO.EPERM;
      vcpu.cells[cell] = BigInt.asUintN(bitsPerQuadword * vcpu.sveMaxVq, value);
      return 0;
    },
  });

const Z = Array.from({ length: 32 }, (_, n) => sveRegId('z', n, 256));
const P = Array.from({ length: 16 }, (_, n) => sveRegId('p', n, 32));

/** The SVE registers, by id. */
export const sveRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  [SVE_VLS, vectorLengths],
  ...Z.map(id => [id, vector(128)] as const),
  ...[...P, sveRegId('ffr', 0, 32)].map(id => [id, vector(16)] as const),
];
