/**
 * Debugging a guest from outside: `struct kvm_guest_debug` (`linux/kvm.h`, `asm/kvm.h` of arm64). Its breakpoint and
 * watchpoint registers are the architecture's, DBGBCR<n>_EL1 to DBGWVR<n>_EL1 (Arm ARM D24.3).
 *
 * @packageDocumentation
 */

/** Bits of `control`. */
export const KVM_GUESTDBG = {
  KVM_GUESTDBG_ENABLE: 1,
  KVM_GUESTDBG_SINGLESTEP: 2,
  /** BRK leaves the guest. */
  KVM_GUESTDBG_USE_SW_BP: 0x1_0000,
  /** The registers of the struct stand in for the guest's. */
  KVM_GUESTDBG_USE_HW: 0x2_0000,
} as const;

/** Registers of each kind in the struct; how many the host has, `KVM_CAP_GUEST_DEBUG_HW_BPS` and `_WPS` tell. */
export const KVM_ARM_MAX_DBG_REGS = 16;

/** Bytes of `struct kvm_guest_debug`. */
export const GUEST_DEBUG_SIZE = 520;

/** Offsets of its arrays of u64. */
export const GUEST_DEBUG_OFFSET = { control: 0, bcr: 8, bvr: 136, wcr: 264, wvr: 392 } as const;

/** A control register and its value register. */
export interface DebugRegisters {
  readonly control: bigint;
  readonly value: bigint;
}

/** `struct kvm_guest_debug`. */
export function encodeGuestDebug(
  control: number,
  breakpoints: readonly DebugRegisters[] = [],
  watchpoints: readonly DebugRegisters[] = [],
): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(GUEST_DEBUG_SIZE));
  const put = (list: readonly DebugRegisters[], controls: number, values: number) =>
    list.slice(0, KVM_ARM_MAX_DBG_REGS).forEach((registers, i) => {
      view.setBigUint64(controls + 8 * i, registers.control, true);
      view.setBigUint64(values + 8 * i, registers.value, true);
    });
  view.setUint32(GUEST_DEBUG_OFFSET.control, control, true);
  put(breakpoints, GUEST_DEBUG_OFFSET.bcr, GUEST_DEBUG_OFFSET.bvr);
  put(watchpoints, GUEST_DEBUG_OFFSET.wcr, GUEST_DEBUG_OFFSET.wvr);
  return new Uint8Array(view.buffer);
}

/** The other direction of {@link encodeGuestDebug}: every register of the struct. */
export function decodeGuestDebug(bytes: Uint8Array): {
  readonly control: number;
  readonly breakpoints: readonly DebugRegisters[];
  readonly watchpoints: readonly DebugRegisters[];
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, GUEST_DEBUG_SIZE);
  const take = (controls: number, values: number) =>
    Array.from({ length: KVM_ARM_MAX_DBG_REGS }, (_, i) => ({
      control: view.getBigUint64(controls + 8 * i, true),
      value: view.getBigUint64(values + 8 * i, true),
    }));
  return {
    control: view.getUint32(GUEST_DEBUG_OFFSET.control, true),
    breakpoints: take(GUEST_DEBUG_OFFSET.bcr, GUEST_DEBUG_OFFSET.bvr),
    watchpoints: take(GUEST_DEBUG_OFFSET.wcr, GUEST_DEBUG_OFFSET.wvr),
  };
}

/** E, bit 0; PMC, bits 2:1: EL1 and EL0. As KVM_GUESTDBG_USE_HW needs them for a guest of both. */
const ENABLE = 1n;
const EL1_AND_EL0 = 0b11n << 1n;
/** BAS, bits 8:5 of DBGBCR: all four bytes of an instruction. */
const WHOLE_INSTRUCTION = 0b1111n << 5n;

/** DBGBCR and DBGBVR of a breakpoint. @param address - virtual, a multiple of 4 */
export function breakpointRegisters(address: bigint): DebugRegisters {
  return { control: WHOLE_INSTRUCTION | EL1_AND_EL0 | ENABLE, value: address };
}

/** LSC, bits 4:3 of DBGWCR. */
export const WATCH_ACCESS = { read: 0b01n, write: 0b10n, any: 0b11n } as const;

/** Which accesses a watchpoint meets. */
export type WatchAccess = keyof typeof WATCH_ACCESS;

/**
 * DBGWCR and DBGWVR of a watchpoint. Up to eight bytes within a doubleword are picked by BAS, bits 12:5; more, a power of
 * two, aligned to itself, by MASK, bits 28:24.
 */
export function watchpointRegisters(address: bigint, size: number, access: WatchAccess): DebugRegisters {
  const shared = (WATCH_ACCESS[access] << 3n) | EL1_AND_EL0 | ENABLE;
  if (size > 8) return { control: (BigInt(Math.log2(size)) << 24n) | (0xffn << 5n) | shared, value: address };
  const bytes = ((1n << BigInt(size)) - 1n) << (address & 7n);
  return { control: (bytes << 5n) | shared, value: address & ~7n };
}
