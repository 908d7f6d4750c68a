/** Floating-point arithmetic (shared/functions/float): exact in integers, rounded once. */
import { ones } from '../bits.ts';
import {
  bitLength,
  defaultNaN,
  type Environment,
  exponentField,
  FLAG,
  type Format,
  infinity,
  quietBit,
  round,
  type Unpacked,
  unpack,
  zero,
} from './format.ts';

const notANumber = ({ kind }: Unpacked): boolean => kind === 'quiet' || kind === 'signalling';

/** FPProcessNaN. */
export function quieted(format: Format, environment: Environment, bits: bigint, { kind }: Unpacked): bigint {
  if (kind === 'signalling') environment.flags |= FLAG.invalid;
  return environment.defaultNaN ? defaultNaN(format) : bits | quietBit(format);
}

/** FPProcessNaNs: the first signalling NaN, or else the first quiet one. */
function chooseNaN(
  format: Format,
  environment: Environment,
  operands: readonly (readonly [bigint, Unpacked])[],
): bigint | undefined {
  const chosen =
    operands.find(([, { kind }]) => kind === 'signalling') ?? operands.find(([, value]) => notANumber(value));
  return chosen && quieted(format, environment, ...chosen);
}

export function invalid(format: Format, environment: Environment): bigint {
  environment.flags |= FLAG.invalid;
  return defaultNaN(format);
}

/** An exact sum, times a power of two, as a number; a zero takes the sign that rounding gives it. */
function sum(format: Format, environment: Environment, a: Unpacked, b: Unpacked, scale = 0): bigint {
  if (a.kind === 'infinity' || b.kind === 'infinity') {
    if (a.kind === b.kind && a.negative !== b.negative) return invalid(format, environment);
    return infinity(format, a.kind === 'infinity' ? a.negative : b.negative);
  }
  if (a.kind === 'zero' && b.kind === 'zero' && a.negative === b.negative) return zero(format, a.negative);
  // A zero has no exponent that counts.
  const exponent =
    a.kind === 'zero' ? b.exponent : b.kind === 'zero' ? a.exponent : Math.min(a.exponent, b.exponent);
  const scaled = ({ negative, mantissa, exponent: own }: Unpacked) => {
    if (mantissa === 0n) return 0n;
    const value = mantissa << BigInt(own - exponent);
    return negative ? -value : value;
  };
  const total = scaled(a) + scaled(b);
  if (total === 0n) return zero(format, environment.rounding === 2);
  return round(format, environment, total < 0n, total < 0n ? -total : total, exponent + scale);
}

const negated = (value: Unpacked): Unpacked => ({ ...value, negative: !value.negative });

type Binary = (format: Format, environment: Environment, x: bigint, y: bigint) => bigint;

/** An operation on two numbers that are no NaNs. */
const binary =
  (operation: (format: Format, environment: Environment, a: Unpacked, b: Unpacked) => bigint): Binary =>
  (format, environment, x, y) => {
    const a = unpack(format, x, environment);
    const b = unpack(format, y, environment);
    const nan = chooseNaN(format, environment, [
      [x, a],
      [y, b],
    ]);
    return nan ?? operation(format, environment, a, b);
  };

export const fpAdd: Binary = binary(sum);
export const fpSub: Binary = binary((format, environment, a, b) => sum(format, environment, a, negated(b)));

function product(a: Unpacked, b: Unpacked): Unpacked | undefined {
  const negative = a.negative !== b.negative;
  const kinds = [a.kind, b.kind];
  if (kinds.includes('infinity'))
    return kinds.includes('zero') ? undefined : { kind: 'infinity', negative, mantissa: 0n, exponent: 0 };
  if (kinds.includes('zero')) return { kind: 'zero', negative, mantissa: 0n, exponent: 0 };
  return { kind: 'finite', negative, mantissa: a.mantissa * b.mantissa, exponent: a.exponent + b.exponent };
}

function packed(
  format: Format,
  environment: Environment,
  { kind, negative, mantissa, exponent }: Unpacked,
): bigint {
  if (kind === 'infinity') return infinity(format, negative);
  if (kind === 'zero') return zero(format, negative);
  return round(format, environment, negative, mantissa, exponent);
}

export const fpMul: Binary = binary((format, environment, a, b) => {
  const result = product(a, b);
  return result === undefined ? invalid(format, environment) : packed(format, environment, result);
});

/** FMULX: zero times infinity is two. */
export const fpMulX: Binary = binary((format, environment, a, b) => {
  const two = { kind: 'finite', negative: a.negative !== b.negative, mantissa: 1n, exponent: 1 } as const;
  return packed(format, environment, product(a, b) ?? two);
});

export const fpDiv: Binary = binary((format, environment, a, b) => {
  const negative = a.negative !== b.negative;
  if (a.kind === b.kind && a.kind !== 'finite') return invalid(format, environment);
  if (a.kind === 'infinity' || b.kind === 'zero') {
    if (a.kind !== 'infinity') environment.flags |= FLAG.divideByZero;
    return infinity(format, negative);
  }
  if (a.kind === 'zero' || b.kind === 'infinity') return zero(format, negative);
  // Enough bits that what is left over only says "more".
  const shift = BigInt(Math.max(0, format.fraction + 3 + bitLength(b.mantissa) - bitLength(a.mantissa)));
  const dividend = a.mantissa << shift;
  const quotient = dividend / b.mantissa;
  const sticky = quotient * b.mantissa !== dividend;
  return round(format, environment, negative, quotient, a.exponent - b.exponent - Number(shift), { sticky });
});

/** The largest integer whose square is not above a value. */
function integerSquareRoot(value: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(bitLength(value) / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function fpSqrt(format: Format, environment: Environment, x: bigint): bigint {
  const a = unpack(format, x, environment);
  if (notANumber(a)) return quieted(format, environment, x, a);
  if (a.kind === 'zero') return zero(format, a.negative);
  if (a.negative) return invalid(format, environment);
  if (a.kind === 'infinity') return infinity(format, false);
  // An even exponent, and twice the bits of the result.
  let shift = 2 * format.fraction + 6;
  if ((a.exponent - shift) % 2 !== 0) shift++;
  const value = a.mantissa << BigInt(shift);
  const root = integerSquareRoot(value);
  return round(format, environment, false, root, (a.exponent - shift) / 2, { sticky: root * root !== value });
}

/** FPMulAdd: addend + x * y, times a power of two, rounded once. */
export function fpMulAdd(
  format: Format,
  environment: Environment,
  addend: bigint,
  x: bigint,
  y: bigint,
  scale = 0,
): bigint {
  const c = unpack(format, addend, environment);
  const a = unpack(format, x, environment);
  const b = unpack(format, y, environment);
  const nan = chooseNaN(format, environment, [
    [addend, c],
    [x, a],
    [y, b],
  ]);
  const result = notANumber(a) || notANumber(b) ? undefined : product(a, b);
  // Zero times infinity is invalid even beside a quiet NaN.
  if (c.kind === 'quiet' && !notANumber(a) && !notANumber(b) && result === undefined)
    return invalid(format, environment);
  if (nan !== undefined) return nan;
  return result === undefined ? invalid(format, environment) : sum(format, environment, c, result, scale);
}

/** Negative, zero or positive as a is below, equal to or above b. */
function order(a: Unpacked, b: Unpacked): number {
  if (a.kind === 'zero' && b.kind === 'zero') return 0;
  const rank = (value: Unpacked) => (value.kind === 'zero' ? 0 : value.negative ? -1 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  const magnitude = (): number => {
    if (a.kind === 'infinity' || b.kind === 'infinity')
      return Number(a.kind === 'infinity') - Number(b.kind === 'infinity');
    const exponent = Math.min(a.exponent, b.exponent);
    const left = a.mantissa << BigInt(a.exponent - exponent);
    const right = b.mantissa << BigInt(b.exponent - exponent);
    return left === right ? 0 : left < right ? -1 : 1;
  };
  return a.negative ? -magnitude() : magnitude();
}

/** The order of two numbers; undefined if one is a NaN, which is invalid if it signals or `signalAll` is set. */
export function fpOrder(
  format: Format,
  environment: Environment,
  x: bigint,
  y: bigint,
  signalAll: boolean,
): number | undefined {
  const a = unpack(format, x, environment);
  const b = unpack(format, y, environment);
  if (!notANumber(a) && !notANumber(b)) return order(a, b);
  if (signalAll || a.kind === 'signalling' || b.kind === 'signalling') environment.flags |= FLAG.invalid;
  return undefined;
}

/** The greater with `sign` 1, the lesser with -1; of two zeroes the one with that sign. */
const extreme = (sign: 1 | -1): Binary =>
  binary((format, environment, a, b) => {
    if (a.kind === 'zero' && b.kind === 'zero')
      return zero(format, sign === 1 ? a.negative && b.negative : a.negative || b.negative);
    return packed(format, environment, order(a, b) * sign > 0 ? a : b);
  });

export const fpMax: Binary = extreme(1);
export const fpMin: Binary = extreme(-1);

const isQuiet = (format: Format, x: bigint): boolean => (x & defaultNaN(format)) === defaultNaN(format);

/** FMAXNM, FMINNM: a number rather than a quiet NaN. */
const extremeNumber = (sign: 1 | -1): Binary => {
  const choose = extreme(sign);
  return (format, environment, x, y) => {
    const worst = infinity(format, sign === 1);
    if (isQuiet(format, x) && !isQuiet(format, y)) return choose(format, environment, worst, y);
    if (isQuiet(format, y) && !isQuiet(format, x)) return choose(format, environment, x, worst);
    return choose(format, environment, x, y);
  };
};

export const fpMaxNumber: Binary = extremeNumber(1);
export const fpMinNumber: Binary = extremeNumber(-1);

/** FPConvert between formats. */
export function fpConvert(from: Format, to: Format, environment: Environment, x: bigint): bigint {
  const alternativeFrom = from.bits === 16 && environment.alternativeHalf;
  const alternative = to.bits === 16 && environment.alternativeHalf;
  // Half precision is never flushed by a conversion.
  const a = unpack(from, x, environment, { alternative: alternativeFrom, flush: from.bits !== 16 });
  if (notANumber(a)) {
    if (a.kind === 'signalling' || alternative) environment.flags |= FLAG.invalid;
    if (alternative) return zero(to, a.negative);
    if (environment.defaultNaN) return defaultNaN(to);
    const widened =
      to.fraction >= from.fraction
        ? a.mantissa << BigInt(to.fraction - from.fraction)
        : a.mantissa >> BigInt(from.fraction - to.fraction);
    return infinity(to, a.negative) | quietBit(to) | widened;
  }
  if (a.kind === 'infinity' && alternative) {
    environment.flags |= FLAG.invalid;
    return zero(to, a.negative) | ones(to.bits - 1);
  }
  if (a.kind !== 'finite') return packed(to, environment, a);
  return round(to, environment, a.negative, a.mantissa, a.exponent, { alternative, flush: to.bits !== 16 });
}

export const fpNegate = ({ bits }: Format, x: bigint): bigint => x ^ (1n << BigInt(bits - 1));
export const fpAbsolute = ({ bits }: Format, x: bigint): bigint => x & ones(bits - 1);

/** VFPExpandImm. */
export function expandImmediate(format: Format, imm8: number): bigint {
  const exponentBits = exponentField(format);
  const sign = BigInt(imm8 >> 7);
  const b = (imm8 >> 6) & 1;
  const repeated = b ? ones(exponentBits - 3) : 0n;
  const exponent = (BigInt(1 - b) << BigInt(exponentBits - 1)) | (repeated << 2n) | BigInt((imm8 >> 4) & 3);
  return (
    (sign << BigInt(format.bits - 1)) |
    (exponent << BigInt(format.fraction)) |
    (BigInt(imm8 & 0xf) << BigInt(format.fraction - 4))
  );
}
