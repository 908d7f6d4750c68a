import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  coreRegId,
  decodeRegisterId,
  encodeRegisterId,
  firmwareBitmapRegId,
  firmwareRegId,
  type RegisterId,
  registerBits,
  registerBytes,
  sysRegId,
  wordOffsets,
} from '#lib/abi/register-id.js';
import { anyRegisterId } from './ids.ts';

describe('register ids', () => {
  test('decode and encode are inverse for every 64-bit value', () => {
    fc.assert(
      fc.property(anyRegisterId, id => {
        expect(encodeRegisterId(decodeRegisterId(id))).toBe(id);
      }),
      { numRuns: 5000 },
    );
  });

  test('encode and decode are inverse for every well-formed set of fields', () => {
    const bytes = fc.integer({ min: 0, max: 15 }).map(size => 2 ** size);
    const bits = (n: number) => fc.integer({ min: 0, max: 2 ** n - 1 });
    const arch = fc.constantFrom('arm64' as const, 'arm' as const);
    const arm64 = fc.constant('arm64' as const);
    const arm = fc.constant('arm' as const);
    const fields: fc.Arbitrary<RegisterId> = fc.oneof(
      fc.record({ kind: fc.constant('core' as const), arch, bytes, offset: bits(16).map(n => n * 4) }),
      fc.record({ kind: fc.constant('demux' as const), arch, bytes, id: bits(8), value: bits(8) }),
      fc.record({
        kind: fc.constantFrom('firmware' as const, 'firmware-bitmap' as const),
        arch,
        bytes,
        index: bits(16),
      }),
      fc.record({
        kind: fc.constant('sysreg' as const),
        arch: arm64,
        bytes,
        op0: bits(2),
        op1: bits(3),
        crn: bits(4),
        crm: bits(4),
        op2: bits(3),
      }),
      fc.record({
        kind: fc.constant('coprocessor' as const),
        arch: arm,
        bytes,
        coproc: bits(4),
        opc1: bits(4),
        crn: bits(4),
        crm: bits(4),
        opc2: bits(3),
      }),
      fc.record({ kind: fc.constant('vfp' as const), arch: arm, bytes, index: bits(16) }),
      fc
        .constantFrom(
          ['vls', 1, 1] as const,
          ['z', 32, 32] as const,
          ['p', 16, 32] as const,
          ['ffr', 1, 32] as const,
        )
        .chain(([register, count, slices]) =>
          fc.record({
            kind: fc.constant('sve' as const),
            arch: arm64,
            bytes,
            register: fc.constant(register),
            n: fc.nat(count - 1),
            slice: fc.nat(slices - 1),
          }),
        ),
    );
    fc.assert(
      fc.property(fields, each => {
        expect(decodeRegisterId(encodeRegisterId(each))).toEqual(each);
      }),
      { numRuns: 2000 },
    );
  });

  // Encodings of asm/kvm.h and Documentation/virt/kvm/api.rst §4.68, worked out by hand.
  test.each<[bigint, RegisterId]>([
    [0x6030_0000_0010_0000n, { kind: 'core', arch: 'arm64', bytes: 8, offset: 0 }],
    [0x6030_0000_0010_0040n, { kind: 'core', arch: 'arm64', bytes: 8, offset: 256 }],
    [0x6040_0000_0010_0054n, { kind: 'core', arch: 'arm64', bytes: 16, offset: 336 }],
    [0x6020_0000_0011_0002n, { kind: 'demux', arch: 'arm64', bytes: 4, id: 0, value: 2 }],
    [
      0x6030_0000_0013_c080n,
      { kind: 'sysreg', arch: 'arm64', bytes: 8, op0: 3, op1: 0, crn: 1, crm: 0, op2: 0 },
    ],
    [
      0x6030_0000_0013_dce0n,
      { kind: 'sysreg', arch: 'arm64', bytes: 8, op0: 3, op1: 3, crn: 9, crm: 12, op2: 0 },
    ],
    [0x6030_0000_0014_0000n, { kind: 'firmware', arch: 'arm64', bytes: 8, index: 0 }],
    [0x6030_0000_0016_0003n, { kind: 'firmware-bitmap', arch: 'arm64', bytes: 8, index: 3 }],
    [0x6060_0000_0015_ffffn, { kind: 'sve', arch: 'arm64', bytes: 64, register: 'vls', n: 0, slice: 0 }],
    [0x6080_0000_0015_03e0n, { kind: 'sve', arch: 'arm64', bytes: 256, register: 'z', n: 31, slice: 0 }],
    [0x6050_0000_0015_0421n, { kind: 'sve', arch: 'arm64', bytes: 32, register: 'p', n: 1, slice: 1 }],
    [0x6050_0000_0015_0600n, { kind: 'sve', arch: 'arm64', bytes: 32, register: 'ffr', n: 0, slice: 0 }],
    [0x4030_0000_0014_0000n, { kind: 'firmware', arch: 'arm', bytes: 8, index: 0 }],
    // MIDR of 32-bit arm: p15, 0, c0, c0, 0.
    [
      0x4020_0000_000f_0000n,
      { kind: 'coprocessor', arch: 'arm', bytes: 4, coproc: 15, opc1: 0, crn: 0, crm: 0, opc2: 0 },
    ],
    // An x86 MSR, an id with a stray bit 28, and a coprocessor that nobody has.
    [0x2030_0002_0000_0010n, { kind: 'other', id: 0x2030_0002_0000_0010n }],
    [0x6030_0000_1013_c080n, { kind: 'other', id: 0x6030_0000_1013_c080n }],
    [0x6030_0000_0017_0000n, { kind: 'other', id: 0x6030_0000_0017_0000n }],
    [0xe030_0000_0013_c080n, { kind: 'other', id: 0xe030_0000_0013_c080n }],
  ])('%x', (id, fields) => {
    expect(decodeRegisterId(id)).toEqual(fields);
    expect(encodeRegisterId(fields)).toBe(id);
  });

  test('shorthands', () => {
    expect(sysRegId(3, 0, 0, 0, 0)).toBe(0x6030_0000_0013_c000n);
    expect(coreRegId(8 * 30)).toBe(0x6030_0000_0010_003cn);
    expect(coreRegId(852, 4)).toBe(0x6020_0000_0010_00d5n);
    expect(firmwareRegId(3)).toBe(0x6030_0000_0014_0003n);
    expect(firmwareBitmapRegId(1)).toBe(0x6030_0000_0016_0001n);
  });

  test.each([
    [0x6000_0000_0000_0000n, 1, 1],
    [0x6010_0000_0000_0000n, 2, 1],
    [0x6020_0000_0010_00d4n, 4, 1],
    [0x6030_0000_0014_0000n, 8, 1],
    [0x6040_0000_0010_0054n, 16, 2],
    [0x6050_0000_0015_0400n, 32, 4],
    [0x6060_0000_0015_ffffn, 64, 8],
    [0x6080_0000_0015_0000n, 256, 32],
  ])('%x is %i bytes wide and takes %i words', (id, bytes, words) => {
    expect(registerBytes(id)).toBe(bytes);
    expect(registerBits(id)).toBe(bytes * 8);
    expect([...wordOffsets(BigUint64Array.of(id, id))]).toEqual([0, words, 2 * words]);
  });

  test.each([
    ['a field that does not fit', () => sysRegId(4, 0, 0, 0, 0), 'ERR_OUT_OF_RANGE'],
    ['a fraction', () => sysRegId(3, 0.5, 0, 0, 0), 'ERR_OUT_OF_RANGE'],
    ['an offset between words', () => coreRegId(2), 'ERR_OUT_OF_RANGE'],
    ['a width that is no power of two', () => coreRegId(0, 3), 'ERR_OUT_OF_RANGE'],
    ['no width', () => coreRegId(0, 0), 'ERR_OUT_OF_RANGE'],
    ['a width beyond the field', () => coreRegId(0, 65536), 'ERR_OUT_OF_RANGE'],
    ['a negative id', () => decodeRegisterId(-1n), 'ERR_OUT_OF_RANGE'],
    ['an id of 65 bits', () => decodeRegisterId(1n << 64n), 'ERR_OUT_OF_RANGE'],
    ['an id that is a number', () => decodeRegisterId(5 as unknown as bigint), 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %s', (_, act, code) => {
    expect(act).toThrow(expect.objectContaining({ code }));
  });
});
