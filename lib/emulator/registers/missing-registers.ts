/**
 * What becomes of an id that names no register of the vCPU (`kvm_arm_{get,set}_reg` and what they call,
 * arch/arm64/kvm/guest.c of Linux 6.12, arch/arm/kvm/guest.c and coproc.c of the 32-bit kernels).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { type Architecture, KVM_REG_ARM, KVM_REG_ARM64, registerBytes } from '../../abi/register-id.ts';
import type { Result } from '../../backend.ts';
import type { HostProfile } from '../profile.ts';
import type { Configuration } from '../state.ts';

/** Bits 51:32 and the architecture: anything but the kernel's own is refused before the register is looked for. */
const FIXED_BITS = 0xff0f_ffff_0000_0000n;

/** Bits 27:16 (KVM_REG_ARM_COPROC_MASK). */
const COPROC_SHIFT = 16n;
const COPROC_MASK = 0x0fffn;
const CORE = 0x10n;
const FIRMWARE = 0x14n;
const SVE = 0x15n;

/** Where the kernel's own registers are: AArch64's system registers, or coprocessor 15. */
const SYSTEM = { arm64: 0x13n, arm: 15n };

/** `struct kvm_regs` in units of 4 bytes. */
const CORE_WORDS = 216;

/** Z registers (2048 bit), then P registers and FFR (256 bit), 32 slices each (asm/kvm.h). */
const SVE_RANGES = [
  [0x6080_0000_0015_0000n, 0x6080_0000_0015_03ffn],
  [0x6050_0000_0015_0400n, 0x6050_0000_0015_061fn],
  [0x6060_0000_0015_ffffn, 0x6060_0000_0015_ffffn], // VLS
] as const;

/** The errno for an id that the vCPU does not have. */
export function missingRegister({ architecture, behaviours }: HostProfile, id: bigint): Result {
  const isArm = architecture === 'arm';
  if ((id & FIXED_BITS) !== (isArm ? KVM_REG_ARM : KVM_REG_ARM64)) return -ERRNO.EINVAL;
  switch ((id >> COPROC_SHIFT) & COPROC_MASK) {
    case CORE:
      return isArm ? -ERRNO.ENOENT : missingCoreRegister(id);
    case FIRMWARE:
      return -ERRNO[behaviours.unknownFirmware ?? 'ENOENT'];
    case SVE:
      if (behaviours.beforeSve) return -ERRNO.ENOENT;
      return SVE_RANGES.some(([first, last]) => id >= first && id <= last) ? -ERRNO.ENOENT : -ERRNO.EINVAL;
    default:
      return -ERRNO.ENOENT;
  }
}

/** The system register that an id is taken for whose coprocessor has no registers, if the kernel does not compare it. */
export function underAnyCoprocessor(
  architecture: Architecture,
  id: bigint,
  { registers, except }: Configuration['anyCoprocessor'],
): bigint | undefined {
  if (except.has((id >> COPROC_SHIFT) & COPROC_MASK)) return undefined;
  const canonical = (id & ~(COPROC_MASK << COPROC_SHIFT)) | (SYSTEM[architecture] << COPROC_SHIFT);
  return registers.has(canonical) ? canonical : undefined;
}

/** Beyond the struct: ENOENT; within, but no member: EINVAL. */
function missingCoreRegister(id: bigint): Result {
  const offset = Number(id & 0xffff_ffffn & ~(CORE << COPROC_SHIFT));
  const words = Math.floor(registerBytes(id) / 4);
  return offset >= CORE_WORDS || offset + words >= CORE_WORDS ? -ERRNO.ENOENT : -ERRNO.EINVAL;
}
