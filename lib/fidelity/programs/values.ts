/**
 * Values that are worth a try in registers: those at the edges, those that mean something, and any.
 *
 * @packageDocumentation
 */
import type { Random } from '../random.ts';

/** Around the limits of each width. */
export const INTEGERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn],
  ...[0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
  ...[0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n],
  ...[0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn],
];

/** Zeroes, ones, denormals, the largest, infinities, NaNs of both kinds, values near the edges of integers. */
export const DOUBLES: readonly bigint[] = [
  ...[0n, 0x8000_0000_0000_0000n, 0x3ff0_0000_0000_0000n, 0xbff0_0000_0000_0000n, 0x3ff8_0000_0000_0000n],
  ...[0x0000_0000_0000_0001n, 0x800f_ffff_ffff_ffffn, 0x0010_0000_0000_0000n, 0x7fef_ffff_ffff_ffffn],
  ...[0x7ff0_0000_0000_0000n, 0xfff0_0000_0000_0000n, 0x7ff8_0000_0000_1234n, 0x7ff0_0000_0000_0001n],
  ...[0x43e0_0000_0000_0000n, 0x41ef_ffff_fff0_0000n, 0x3fdf_ffff_ffff_ffffn],
];
export const SINGLES: readonly bigint[] = [
  ...[0n, 0x8000_0000n, 0x3f80_0000n, 0xbf80_0000n, 0x3fc0_0000n, 0x0000_0001n, 0x807f_ffffn, 0x0080_0000n],
  ...[0x7f7f_ffffn, 0x7f80_0000n, 0xff80_0000n, 0x7fc0_1234n, 0x7f80_0001n, 0x5f00_0000n, 0x4f7f_ffffn],
  ...[0x3eff_ffffn],
];
const HALVES: readonly bigint[] = [
  ...[0n, 0x8000n, 0x3c00n, 0xbc00n, 0x0001n, 0x83ffn, 0x0400n, 0x7bffn, 0x7c00n, 0xfc00n, 0x7e12n, 0x7d01n],
];

/** What memory has, by the distance from its start: each word differs from its neighbours. */
export const ramByte = (at: number): number =>
  ((Math.imul(at >> 2, 0x9e37_79b1) ^ (at << 5)) >>> (8 * (at & 3))) & 0xff;

export const integer = (random: Random): bigint => (random.oneIn(4) ? random.pick(INTEGERS) : random.u64());

/** Half a vector register: one double, two singles, four halves, or integers. */
function halfVector(random: Random): bigint {
  const lanes = (bits: number, values: readonly bigint[], near: () => bigint) => {
    let lane = 0n;
    for (let at = 0; at < 64; at += bits)
      lane |= (random.oneIn(2) ? random.pick(values) : near()) << BigInt(at);
    return lane;
  };
  const sign = () => BigInt(random.below(2));
  return random.weighted<() => bigint>([
    [3, () => integer(random)],
    // Of a size that arithmetic with others of its kind rounds.
    [
      2,
      () =>
        lanes(
          64,
          DOUBLES,
          () => (sign() << 63n) | (BigInt(0x3fa + random.below(12)) << 52n) | (random.u64() >> 12n),
        ),
    ],
    [2, () => lanes(32, SINGLES, () => (sign() << 31n) | BigInt(0x3f00_0000 + random.below(0x100_0000)))],
    [1, () => lanes(16, HALVES, () => (sign() << 15n) | BigInt(0x3800 + random.below(0x1000)))],
  ])();
}

export const vector = (random: Random): bigint => (halfVector(random) << 64n) | halfVector(random);
