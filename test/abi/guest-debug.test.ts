/** Breakpoint and watchpoint registers as the Arm ARM (D24.3) has them, at the offsets that uapi.test.ts holds to the headers. */
import { describe, expect, test } from 'vitest';
import {
  breakpointRegisters,
  encodeGuestDebug,
  GUEST_DEBUG_OFFSET,
  KVM_GUESTDBG,
  watchpointRegisters,
} from '#lib/abi/guest-debug.js';

test('a breakpoint meets the whole instruction at EL1 and EL0: BAS 0xf, PMC 3, E', () => {
  expect(breakpointRegisters(0x4000_0010n)).toEqual({ control: 0x1e7n, value: 0x4000_0010n });
});

describe('a watchpoint', () => {
  test.each([
    // BAS 12:5, LSC 4:3, PAC 2:1, E
    [0x1000n, 8, 'any', 0x1fffn, 0x1000n],
    [0x1004n, 4, 'write', 0x1e17n, 0x1000n],
    [0x1007n, 1, 'read', 0x100fn, 0x1000n],
    // MASK 28:24, with BAS 0xff
    [0x1000n, 4096, 'any', 0x0c00_1fffn, 0x1000n],
    [0n, 2 ** 31, 'any', 0x1f00_1fffn, 0n],
  ] as const)('at %s of %i bytes, %s', (address, size, access, control, value) => {
    expect(watchpointRegisters(address, size, access)).toEqual({ control, value });
  });
});

test('struct kvm_guest_debug has each list in two arrays', () => {
  const control = KVM_GUESTDBG.KVM_GUESTDBG_ENABLE | KVM_GUESTDBG.KVM_GUESTDBG_USE_HW;
  const pair = (n: bigint) => ({ control: n, value: n + 0x100n });
  const bytes = encodeGuestDebug(control, [pair(1n), pair(2n)], [pair(3n)]);
  const expected = new DataView(new ArrayBuffer(520));
  expected.setUint32(0, 0x2_0001, true);
  const { bcr, bvr, wcr, wvr } = GUEST_DEBUG_OFFSET;
  for (const [offset, value] of [
    [bcr, 1n],
    [bcr + 8, 2n],
    [bvr, 0x101n],
    [bvr + 8, 0x102n],
    [wcr, 3n],
    [wvr, 0x103n],
  ] as const)
    expected.setBigUint64(offset, value, true);
  expect(bytes).toEqual(new Uint8Array(expected.buffer));
});
