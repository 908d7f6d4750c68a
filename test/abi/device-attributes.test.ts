import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { encodePmuFilter, encodeRedistributorRegion } from '#lib/abi/device-attributes.js';

const outOfRange = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' });

describe('a region of redistributors', () => {
  // Documentation/virt/kvm/devices/arm-vgic-v3.rst: count 63:52, base 51:16, flags 15:12, index 11:0.
  test('is one number', () => {
    expect(encodeRedistributorRegion({ base: 0x080a_0000n, count: 4, index: 1 })).toBe(
      0x0040_0000_080a_0001n,
    );
    expect(encodeRedistributorRegion({ base: 0xf_ffff_ffff_0000n, count: 0xfff, index: 0xfff })).toBe(
      0xffff_ffff_ffff_0fffn,
    );
  });

  test.each([
    [{ base: 0x1000n, count: 1, index: 0 }],
    [{ base: 1n << 52n, count: 1, index: 0 }],
    [{ base: -0x1_0000n, count: 1, index: 0 }],
    [{ base: 0n, count: 0x1000, index: 0 }],
    [{ base: 0n, count: 1, index: 0x1000 }],
  ])('%o is none', region => {
    expect(() => encodeRedistributorRegion(region)).toThrow(outOfRange);
  });
});

describe('struct kvm_pmu_event_filter', () => {
  test('is a range and what happens to it', () => {
    const filter = encodePmuFilter({ base: 0x1234, count: 2, action: 'deny' });
    expect(Buffer.from(filter).toString('hex')).toBe('3412020001000000');
  });

  test('has numbers of 16 bits, and two actions', () => {
    expect(() => encodePmuFilter({ base: 0x1_0000, count: 1, action: 'allow' })).toThrow(outOfRange);
    expect(() => encodePmuFilter({ base: 0, count: 1, action: 'forward' as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});
