/** Between floating-point numbers and integers. */
import { quieted } from './arithmetic.ts';
import {
  type Environment,
  FLAG,
  type Format,
  infinity,
  restBelow,
  round,
  roundsUp,
  unpack,
  zero,
} from './format.ts';

/** FPToFixed: to `width` bits, `places` of them behind the point; out of range is invalid and gives the nearest. */
export function fpToInteger(
  format: Format,
  environment: Environment,
  x: bigint,
  {
    width,
    signed,
    rounding,
    places = 0,
  }: { width: number; signed: boolean; rounding: number; places?: number },
): bigint {
  const a = unpack(format, x, environment);
  const least = signed ? -(1n << BigInt(width - 1)) : 0n;
  const most = signed ? (1n << BigInt(width - 1)) - 1n : (1n << BigInt(width)) - 1n;
  if (a.kind === 'quiet' || a.kind === 'signalling') {
    environment.flags |= FLAG.invalid;
    return 0n;
  }
  if (a.kind === 'infinity') {
    environment.flags |= FLAG.invalid;
    return BigInt.asUintN(width, a.negative ? least : most);
  }
  const shift = -(a.exponent + places);
  const rest = restBelow(a.mantissa, shift);
  let magnitude = shift > 0 ? a.mantissa >> BigInt(shift) : a.mantissa << BigInt(-shift);
  if (roundsUp(rounding, a.negative, (magnitude & 1n) === 1n, rest)) magnitude++;
  const value = a.negative ? -magnitude : magnitude;
  if (value < least || value > most) {
    environment.flags |= FLAG.invalid;
    return BigInt.asUintN(width, value < least ? least : most);
  }
  if (rest !== 'none') environment.flags |= FLAG.inexact;
  return BigInt.asUintN(width, value);
}

/** FixedToFP. */
export function fpFromInteger(format: Format, environment: Environment, value: bigint, places = 0): bigint {
  if (value === 0n) return zero(format, false);
  return round(format, environment, value < 0n, value < 0n ? -value : value, -places);
}

/** FPRoundInt: to an integer in the same format; FRINTX alone says when that is inexact. */
export function fpRoundToInteger(
  format: Format,
  environment: Environment,
  x: bigint,
  rounding: number,
  exact: boolean,
): bigint {
  const a = unpack(format, x, environment);
  if (a.kind === 'quiet' || a.kind === 'signalling') return quieted(format, environment, x, a);
  if (a.kind === 'infinity') return infinity(format, a.negative);
  if (a.kind === 'zero') return zero(format, a.negative);
  const shift = -a.exponent;
  const rest = restBelow(a.mantissa, shift);
  if (rest !== 'none' && exact) environment.flags |= FLAG.inexact;
  let magnitude = shift > 0 ? a.mantissa >> BigInt(shift) : a.mantissa << BigInt(-shift);
  if (roundsUp(rounding, a.negative, (magnitude & 1n) === 1n, rest)) magnitude++;
  if (magnitude === 0n) return zero(format, a.negative);
  return round(format, environment, a.negative, magnitude, 0);
}

/** FPToFixedJS (FJCVTZS): modulo 2^32; true if it changed the number. */
export function fpToInt32(format: Format, environment: Environment, x: bigint): [bigint, boolean] {
  const a = unpack(format, x, environment);
  if (a.kind !== 'finite') {
    if (a.kind !== 'zero') environment.flags |= FLAG.invalid;
    return [0n, a.kind !== 'zero' || a.negative];
  }
  const shift = -a.exponent;
  const rest = restBelow(a.mantissa, shift);
  const magnitude = shift > 0 ? a.mantissa >> BigInt(shift) : a.mantissa << BigInt(-shift);
  const value = a.negative ? -magnitude : magnitude;
  const inRange = value === BigInt.asIntN(32, value);
  if (!inRange) environment.flags |= FLAG.invalid;
  else if (rest !== 'none') environment.flags |= FLAG.inexact;
  return [BigInt.asUintN(32, value), !inRange || rest !== 'none'];
}
