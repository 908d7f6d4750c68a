/** Binary floating-point numbers as sign, integer and power of two: exact until they are rounded (A1.5). */
import { ones } from '../bits.ts';

export interface Format {
  readonly bits: 16 | 32 | 64;
  readonly fraction: number;
  readonly bias: number;
}

export const HALF: Format = { bits: 16, fraction: 10, bias: 15 };
export const SINGLE: Format = { bits: 32, fraction: 23, bias: 127 };
export const DOUBLE: Format = { bits: 64, fraction: 52, bias: 1023 };

/** By the `ftype` field of the encodings; 2 is unallocated. */
export const FORMATS: readonly (Format | undefined)[] = [SINGLE, DOUBLE, undefined, HALF];

/** FPSR's cumulative exception bits. */
export const FLAG = {
  invalid: 1,
  divideByZero: 2,
  overflow: 4,
  underflow: 8,
  inexact: 16,
  inputDenormal: 128,
} as const;

/** By FPCR.RMode, then what FCVTA and FRINTA name, and FCVTXN: to odd. */
export const ROUND = { nearest: 0, up: 1, down: 2, zero: 3, away: 4, odd: 5 } as const;

/** How an operation rounds and flushes, and the exceptions that it has met. */
export class Environment {
  rounding: number;
  readonly #fpcr: bigint;
  flags = 0;

  constructor(fpcr: bigint) {
    this.#fpcr = fpcr;
    this.rounding = Number((fpcr >> 22n) & 3n);
  }

  get defaultNaN(): boolean {
    return (this.#fpcr & (1n << 25n)) !== 0n;
  }

  /** FPCR.AHP: half precision without infinities and NaNs, in conversions. */
  get alternativeHalf(): boolean {
    return (this.#fpcr & (1n << 26n)) !== 0n;
  }

  flushes(format: Format): boolean {
    return (this.#fpcr & (1n << (format === HALF ? 19n : 24n))) !== 0n;
  }
}

export type Kind = 'zero' | 'finite' | 'infinity' | 'quiet' | 'signalling';

/** `mantissa` times two to the power `exponent`; of a NaN the mantissa is its fraction. */
export interface Unpacked {
  readonly kind: Kind;
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

export const exponentField = (format: Format): number => format.bits - 1 - format.fraction;

const signBit = ({ bits }: Format, negative: boolean): bigint => (negative ? 1n << BigInt(bits - 1) : 0n);

export const zero = (format: Format, negative: boolean): bigint => signBit(format, negative);

export const infinity = (format: Format, negative: boolean): bigint =>
  signBit(format, negative) | (ones(exponentField(format)) << BigInt(format.fraction));

export const quietBit = ({ fraction }: Format): bigint => 1n << BigInt(fraction - 1);

export const defaultNaN = (format: Format): bigint => infinity(format, false) | quietBit(format);

/** FPUnpackBase: a denormal is a zero where they are flushed. */
export function unpack(
  format: Format,
  bits: bigint,
  environment: Environment,
  { alternative = false, flush = true } = {},
): Unpacked {
  const negative = ((bits >> BigInt(format.bits - 1)) & 1n) === 1n;
  const field = Number((bits >> BigInt(format.fraction)) & ones(exponentField(format)));
  const fraction = bits & ones(format.fraction);
  const lowest = 1 - format.bias - format.fraction;
  if (field === 0) {
    const flushed = fraction !== 0n && flush && environment.flushes(format);
    if (flushed && format !== HALF) environment.flags |= FLAG.inputDenormal;
    if (fraction === 0n || flushed) return { kind: 'zero', negative, mantissa: 0n, exponent: 0 };
    return { kind: 'finite', negative, mantissa: fraction, exponent: lowest };
  }
  if (field === 2 ** exponentField(format) - 1 && !alternative) {
    if (fraction === 0n) return { kind: 'infinity', negative, mantissa: 0n, exponent: 0 };
    const kind = fraction & quietBit(format) ? 'quiet' : 'signalling';
    return { kind, negative, mantissa: fraction, exponent: 0 };
  }
  return {
    kind: 'finite',
    negative,
    mantissa: fraction | (1n << BigInt(format.fraction)),
    exponent: lowest + field - 1,
  };
}

export const bitLength = (value: bigint): number => value.toString(2).length;

/** Whether a magnitude is rounded up, by its lowest bit and what lies below it. */
export function roundsUp(
  rounding: number,
  negative: boolean,
  odd: boolean,
  rest: 'none' | 'less' | 'half' | 'more',
): boolean {
  if (rest === 'none') return false;
  switch (rounding) {
    case ROUND.nearest:
      return rest === 'more' || (rest === 'half' && odd);
    case ROUND.away:
      return rest !== 'less';
    case ROUND.up:
      return !negative;
    case ROUND.down:
      return negative;
    case ROUND.odd:
      return !odd;
    default:
      return false;
  }
}

/** What lies below a bit position, and, with `sticky`, below the lowest bit. */
export function restBelow(
  mantissa: bigint,
  position: number,
  sticky = false,
): 'none' | 'less' | 'half' | 'more' {
  if (position <= 0) return sticky ? 'less' : 'none';
  const rest = mantissa & ones(position);
  const half = 1n << BigInt(position - 1);
  if (rest === 0n) return sticky ? 'less' : 'none';
  if (rest === half) return sticky ? 'more' : 'half';
  return rest < half ? 'less' : 'more';
}

/** FPRound: the nearest number of a format, by the rounding mode, with its exceptions. `mantissa` is not zero. */
export function round(
  format: Format,
  environment: Environment,
  negative: boolean,
  mantissa: bigint,
  exponent: number,
  { sticky = false, alternative = false, flush = true } = {},
): bigint {
  const { bias, fraction } = format;
  const lowest = 1 - bias;
  const top = exponent + bitLength(mantissa) - 1;
  if (top < lowest && flush && environment.flushes(format)) {
    environment.flags |= FLAG.underflow;
    return zero(format, negative);
  }
  const unit = Math.max(top, lowest) - fraction;
  const shift = unit - exponent;
  const rest = restBelow(mantissa, shift, sticky);
  let result = shift > 0 ? mantissa >> BigInt(shift) : mantissa << BigInt(-shift);
  if (roundsUp(environment.rounding, negative, (result & 1n) === 1n, rest)) result++;
  if (top < lowest && rest !== 'none') environment.flags |= FLAG.underflow;
  // A carry out of the fraction moves on to the exponent by itself.
  const field = result >> BigInt(fraction) === 0n ? 0 : unit + fraction + bias;
  const packed = (BigInt(Math.max(field - 1, 0)) << BigInt(fraction)) + result;
  const limit = alternative ? ones(format.bits - 1) + 1n : infinity(format, false);
  if (packed >= limit) {
    if (alternative) {
      environment.flags |= FLAG.invalid;
      return signBit(format, negative) | ones(format.bits - 1);
    }
    environment.flags |= FLAG.overflow | FLAG.inexact;
    const toInfinity = roundsUp(environment.rounding, negative, true, 'more');
    return toInfinity ? infinity(format, negative) : infinity(format, negative) - 1n;
  }
  if (rest !== 'none') environment.flags |= FLAG.inexact;
  return signBit(format, negative) | packed;
}
