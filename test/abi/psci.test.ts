import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatPsciVersion, parsePsciVersion } from '#lib/abi/psci.js';

describe('PSCI versions', () => {
  // PSCI_VERSION() and KVM_ARM_PSCI_* of include/kvm/arm_psci.h.
  test.each([
    ['0.1', 0x1n],
    ['0.2', 0x2n],
    ['1.0', 0x1_0000n],
    ['1.1', 0x1_0001n],
    ['1.2', 0x1_0002n],
    ['1.3', 0x1_0003n],
    ['1.7', 0x1_0007n],
    ['0.0', 0n],
    ['32767.65535', 0x7fff_ffffn],
  ])('%s is 0x%s', (text, value) => {
    expect(parsePsciVersion(text)).toBe(value);
    expect(formatPsciVersion(value)).toBe(text);
  });

  test('every value within 31 bits there and back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 0x7fff_ffffn }), value => {
        expect(parsePsciVersion(formatPsciVersion(value))).toBe(value);
      }),
    );
  });

  test('every u64 has a text of its own', () => {
    expect(formatPsciVersion(0x8001_0002n)).toBe('32769.2');
    expect(formatPsciVersion(0xffff_ffff_ffff_ffffn)).toBe('281474976710655.65535');
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), value => {
        const [major, minor] = formatPsciVersion(value).split('.').map(BigInt);
        expect((major! << 16n) | minor!).toBe(value);
      }),
    );
  });

  test.each([
    '',
    '1',
    '1.',
    '.1',
    '1.0.0',
    '01.0',
    '1.00',
    ' 1.0',
    '1.0 ',
    '+1.0',
    '-1.0',
    '1,0',
    '1.0\n',
    'v1.0',
    '1e1.0',
    '0x1.0',
    '١.٠',
  ])('%j is malformed', text => {
    expect(() => parsePsciVersion(text)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining("'major.minor', such as '1.0'"),
      }),
    );
  });

  test.each(['32768.0', '1.65536', '99999999999999999999.0', `1.${'9'.repeat(400)}`])(
    '%s is out of range',
    text => {
      expect(() => parsePsciVersion(text)).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
      );
    },
  );

  test.each([1, 1n, null, undefined, {}])('%s is no text', value => {
    expect(() => parsePsciVersion(value as unknown as string)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test.each([-1n, 1n << 64n])('%s is no register value', value => {
    expect(() => formatPsciVersion(value)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });
});
