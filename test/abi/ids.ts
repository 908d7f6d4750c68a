/** Register ids for property tests: any 64-bit value, but mostly ones that look like ids. */
import fc from 'fast-check';

const U64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

/** The architectures that matter, every width, every coprocessor around the known ones, any index. */
const likely = fc
  .record({
    arch: fc.constantFrom(0x60n, 0x40n, 0x20n),
    size: fc.bigInt({ min: 0n, max: 15n }),
    coproc: fc.bigInt({ min: 0n, max: 0x18n }),
    index: fc.oneof(
      fc.bigInt({ min: 0n, max: 0xffffn }),
      fc.bigInt({ min: 0n, max: 0x40n }),
      fc.constant(0xffffn),
    ),
  })
  .map(({ arch, size, coproc, index }) => (arch << 56n) | (size << 52n) | (coproc << 16n) | index);

/** A likely id with one stray bit. */
const stray = fc.tuple(likely, fc.bigInt({ min: 0n, max: 63n })).map(([id, bit]) => id ^ (1n << bit));

export const anyRegisterId = fc.oneof(U64, { arbitrary: likely, weight: 3 }, stray);
