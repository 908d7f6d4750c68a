/** Arithmetic on bit strings that fit a bigint or a number; names follow the pseudocode of Arm DDI 0487. */

/** A bigint of `count` ones. */
export const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

/** A field of a bigint, as a number. */
export const field = (value: bigint, low: number, width: number): number =>
  Number((value >> BigInt(low)) & ones(width));

export const bitOf = (value: bigint, position: number): boolean => ((value >> BigInt(position)) & 1n) === 1n;

/** A number of `width` bits, at most 32, as the signed number that it stands for. */
export const signed = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);

/** A number of `width` bits, sign-extended to a 64-bit register. */
export const signed64 = (value: number, width: number): bigint =>
  BigInt.asUintN(64, BigInt(signed(value, width)));

/** `element` of `size` bits, repeated to fill `width` bits. */
export function replicate(element: bigint, size: number, width: number): bigint {
  let result = 0n;
  for (let at = 0; at < width; at += size) result |= element << BigInt(at);
  return result;
}

/** DecodeBitMasks for a logical immediate (C6.2, shared/functions): undefined where N:imms is reserved. */
export function bitmaskImmediate(n: number, imms: number, immr: number, width: 32 | 64): bigint | undefined {
  const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
  if (length < 1) return undefined;
  const size = 1 << length;
  const run = imms & (size - 1);
  if (size > width || run === size - 1) return undefined;
  const rotation = BigInt(immr & (size - 1));
  const element = ones(run + 1);
  const rotated = ((element >> rotation) | (element << (BigInt(size) - rotation))) & ones(size);
  return replicate(rotated, size, width);
}
