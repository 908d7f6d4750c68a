/** Reciprocals by table and by step: FRECPE, FRSQRTE, FRECPX, URECPE, URSQRTE, FRECPS, FRSQRTS. */
import { ones } from '../bits.ts';
import { fpMulAdd, fpNegate, quieted } from './arithmetic.ts';
import {
  bitLength,
  defaultNaN,
  type Environment,
  exponentField,
  FLAG,
  type Format,
  infinity,
  roundsUp,
  unpack,
  zero,
} from './format.ts';

/** RecipEstimate: 9 bits of 1/a, for a of 9 bits from 0.5. */
function reciprocalEstimate(a: number): number {
  const scaled = a * 2 + 1;
  return (Math.floor(2 ** 19 / scaled) + 1) >> 1;
}

/** RecipSqrtEstimate: 9 bits of the reciprocal square root, for a of 9 bits from 0.25. */
function rootEstimate(a: number): number {
  const scaled = a < 256 ? a * 2 + 1 : (((a >> 1) << 1) + 1) * 2;
  let b = 512;
  while (scaled * (b + 1) * (b + 1) < 2 ** 28) b++;
  return (b + 1) >> 1;
}

/** Fraction bits of a number, left-aligned in 52, and the exponent field that a normal number would have. */
function normalized(format: Format, mantissa: bigint, exponent: number): [bigint, number] {
  const length = bitLength(mantissa);
  const fraction = (mantissa << BigInt(53 - length)) & ones(52);
  return [fraction, exponent + length - 1 + format.bias];
}

const assemble = (format: Format, negative: boolean, field: number, fraction52: bigint): bigint =>
  (negative ? 1n << BigInt(format.bits - 1) : 0n) |
  (BigInt(field) << BigInt(format.fraction)) |
  (fraction52 >> BigInt(52 - format.fraction));

export function fpReciprocalEstimate(format: Format, environment: Environment, x: bigint): bigint {
  const a = unpack(format, x, environment);
  if (a.kind === 'quiet' || a.kind === 'signalling') return quieted(format, environment, x, a);
  if (a.kind === 'infinity') return zero(format, a.negative);
  if (a.kind === 'zero') {
    environment.flags |= FLAG.divideByZero;
    return infinity(format, a.negative);
  }
  const [fraction, field] = normalized(format, a.mantissa, a.exponent);
  // Below 2^-(bias + 1) the reciprocal is too large.
  if (field < -1) {
    environment.flags |= FLAG.overflow | FLAG.inexact;
    const up = roundsUp(environment.rounding, a.negative, true, 'more');
    return up ? infinity(format, a.negative) : infinity(format, a.negative) - 1n;
  }
  if (environment.flushes(format) && field >= 2 * format.bias - 1) {
    environment.flags |= FLAG.underflow;
    return zero(format, a.negative);
  }
  const estimate = reciprocalEstimate(256 + Number(fraction >> 44n));
  const result = BigInt(estimate & 0xff) << 44n;
  const resultField = 2 * format.bias - 1 - field;
  if (resultField > 0) return assemble(format, a.negative, resultField, result);
  const denormal = ((1n << 52n) | result) >> BigInt(1 - resultField);
  return assemble(format, a.negative, 0, denormal);
}

export function fpRootEstimate(format: Format, environment: Environment, x: bigint): bigint {
  const a = unpack(format, x, environment);
  if (a.kind === 'quiet' || a.kind === 'signalling') return quieted(format, environment, x, a);
  if (a.kind === 'zero') {
    environment.flags |= FLAG.divideByZero;
    return infinity(format, a.negative);
  }
  if (a.negative) {
    environment.flags |= FLAG.invalid;
    return defaultNaN(format);
  }
  if (a.kind === 'infinity') return zero(format, false);
  const [fraction, field] = normalized(format, a.mantissa, a.exponent);
  const odd = (field & 1) !== 0;
  const scaled = odd ? 128 + Number(fraction >> 45n) : 256 + Number(fraction >> 44n);
  const resultField = Math.floor((3 * format.bias - 1 - field) / 2);
  return assemble(format, false, resultField, BigInt(rootEstimate(scaled) & 0xff) << 44n);
}

/** FRECPX: a power of two near the reciprocal, by the exponent alone. */
export function fpReciprocalExponent(format: Format, environment: Environment, x: bigint): bigint {
  const a = unpack(format, x, environment);
  if (a.kind === 'quiet' || a.kind === 'signalling') return quieted(format, environment, x, a);
  const most = 2 ** exponentField(format) - 1;
  const field = Number((x >> BigInt(format.fraction)) & BigInt(most));
  return assemble(format, a.negative, field === 0 ? most - 1 : ~field & most, 0n);
}

export const unsignedReciprocalEstimate = (x: bigint): bigint =>
  x >> 31n === 0n ? ones(32) : BigInt(reciprocalEstimate(Number(x >> 23n))) << 23n;

export const unsignedRootEstimate = (x: bigint): bigint =>
  x >> 30n === 0n ? ones(32) : BigInt(rootEstimate(Number(x >> 23n))) << 23n;

/** FRECPS: 2 - x * y; FRSQRTS: (3 - x * y) / 2; rounded once. With zero times infinity, as if that were zero. */
const step =
  (halve: boolean) =>
  (format: Format, environment: Environment, x: bigint, y: bigint): bigint => {
    const kinds = [x, y].map(value => unpack(format, value, environment).kind);
    const half = 1n << BigInt(format.fraction - 1);
    const two = BigInt(format.bias + 1) << BigInt(format.fraction);
    if (kinds.includes('zero') && kinds.includes('infinity')) return halve ? two - half : two;
    return fpMulAdd(format, environment, halve ? two + half : two, fpNegate(format, x), y, halve ? -1 : 0);
  };

export const fpReciprocalStep = step(false);
export const fpRootStep = step(true);
