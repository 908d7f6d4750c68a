import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeVcpuEvents,
  decodeVcpuInit,
  encodeCounterOffset,
  encodeDeviceAttr,
  encodeEnableCap,
  encodeRegMaskRange,
  encodeVcpuEvents,
  encodeVcpuInit,
} from '#lib/abi/structs.js';

const u32 = fc.nat(0xffff_ffff);
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('struct kvm_vcpu_init', () => {
  test('target, then seven feature words', () => {
    expect(hex(encodeVcpuInit(5, 0b100n))).toBe(`0500000004000000${'00'.repeat(24)}`);
    expect(hex(encodeVcpuInit(0, 1n << 223n))).toBe(`${'00'.repeat(31)}80`);
  });

  test('round trip', () => {
    fc.assert(
      fc.property(u32, fc.bigInt({ min: 0n, max: 2n ** 224n - 1n }), (target, featureBits) => {
        expect(decodeVcpuInit(encodeVcpuInit(target, featureBits))).toEqual({ target, featureBits });
      }),
    );
  });

  test('reads from the middle of a buffer', () => {
    const bytes = new Uint8Array(40).subarray(8);
    bytes.set(encodeVcpuInit(5, 12n));
    expect(decodeVcpuInit(bytes)).toEqual({ target: 5, featureBits: 12n });
  });

  test.each([
    [-1, 0n],
    [2 ** 32, 0n],
    [1.5, 0n],
    [0, -1n],
    [0, 1n << 224n],
  ])('refuses target %d, features %d', (target, bits) => {
    expect(() => encodeVcpuInit(target, bits)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });

  test('refuses another length', () => {
    expect(() => decodeVcpuInit(new Uint8Array(31))).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });
});

describe('struct kvm_vcpu_events', () => {
  test('layout', () => {
    const bytes = encodeVcpuEvents({
      serrorPending: true,
      serrorHasEsr: true,
      extDabtPending: false,
      serrorEsr: 0x1234n,
    });
    expect(hex(bytes)).toBe(`0101000000000000${'3412000000000000'}${'00'.repeat(48)}`);
  });

  test('round trip', () => {
    const events = fc.record({
      serrorPending: fc.boolean(),
      serrorHasEsr: fc.boolean(),
      extDabtPending: fc.boolean(),
      serrorEsr: u64,
    });
    fc.assert(
      fc.property(events, each => {
        expect(decodeVcpuEvents(encodeVcpuEvents(each))).toEqual(each);
      }),
    );
  });
});

describe('what is only written', () => {
  test('struct kvm_enable_cap', () => {
    const bytes = encodeEnableCap(228, 0, BigUint64Array.of(0x20_0000n, 2n));
    expect(hex(bytes)).toBe(`e400000000000000${'0000200000000000'}${'0200000000000000'}${'00'.repeat(80)}`);
    expect(() => encodeEnableCap(1, 0, new BigUint64Array(5))).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  test('struct kvm_device_attr', () => {
    expect(hex(encodeDeviceAttr(1, 3n))).toBe(`0000000001000000${'0300000000000000'}${'00'.repeat(8)}`);
    fc.assert(
      fc.property(u32, u64, (group, attr) => {
        const view = new DataView(encodeDeviceAttr(group, attr).buffer);
        expect([view.byteLength, view.getUint32(4, true), view.getBigUint64(8, true)]).toEqual([
          24,
          group,
          attr,
        ]);
      }),
    );
  });

  test('struct reg_mask_range', () => {
    expect(hex(encodeRegMaskRange(7))).toBe(`${'00'.repeat(8)}07000000${'00'.repeat(52)}`);
  });

  test('struct kvm_arm_counter_offset', () => {
    expect(hex(encodeCounterOffset(0x0102n))).toBe(`0201000000000000${'00'.repeat(8)}`);
    expect(() => encodeCounterOffset(-1n)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });
});
