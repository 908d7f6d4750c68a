/**
 * The errors of a bad argument, with Node's codes. This floor has its own: `lib/errors.ts` lies above it.
 *
 * @packageDocumentation
 */
import { didYouMean } from './nearest.ts';

function show(value: unknown): string {
  switch (typeof value) {
    case 'bigint':
      return value < 0n ? `${value}n` : `0x${value.toString(16)}n`;
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
    case 'object':
      return value === null ? 'null' : `an object (${Object.prototype.toString.call(value).slice(8, -1)})`;
    case 'function':
      return 'a function';
    default:
      return String(value);
  }
}

/** Not of the type that the parameter takes: `TypeError` with `code` `ERR_INVALID_ARG_TYPE`. */
export function invalidType(name: string, expected: string, actual: unknown): TypeError & { code: string } {
  const error = new TypeError(`${name} must be ${expected}; got ${show(actual)}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A value that means nothing here: `TypeError` with `code` `ERR_INVALID_ARG_VALUE`. */
export function invalidValue(name: string, expected: string, actual: unknown): TypeError & { code: string } {
  const error = new TypeError(`${name} must be ${expected}; got ${show(actual)}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}

/** A number that does not fit its field: `RangeError` with `code` `ERR_OUT_OF_RANGE`. */
export function outOfRange(name: string, expected: string, actual: unknown): RangeError & { code: string } {
  const error = new RangeError(`${name} must be ${expected}; got ${show(actual)}`);
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
}

/** Refuses all but an integer in [0, max]. */
export function checkUnsigned(name: string, value: number, max: number): void {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw outOfRange(name, `an integer from 0 to ${max}`, value);
  }
}

/** Refuses all but a bigint in [0, 2^64). */
export function checkU64(name: string, value: bigint): void {
  if (typeof value !== 'bigint') throw invalidType(name, 'a bigint', value);
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn)
    throw outOfRange(name, 'an unsigned 64-bit bigint', value);
}

/** Refuses all but an object. */
export function checkObject(name: string, value: object): void {
  if (typeof value !== 'object' || value === null) throw invalidType(name, 'an object', value);
}

/** Refuses all but an object of known options: a misspelt one would be left out in silence. */
export function checkOptions<Options extends object>(
  name: string,
  options: Options,
  known: readonly (keyof Options & string)[],
): void {
  checkObject(name, options);
  if (Array.isArray(options) || ArrayBuffer.isView(options)) {
    throw invalidType(name, `an object of ${known.join(', ')}`, options);
  }
  for (const option of Object.keys(options)) {
    if (!(known as readonly string[]).includes(option)) {
      throw invalidValue(name, `made of ${known.join(', ')}${didYouMean(option, known)}`, option);
    }
  }
}

/** Refuses all but an iterable object. Strings and arrays of numbers are iterable, too, but never of what is wanted. */
export function checkIterable(name: string, value: Iterable<unknown>): void {
  checkObject(name, value);
  if (typeof value[Symbol.iterator] !== 'function' || ArrayBuffer.isView(value)) {
    throw invalidType(name, 'an iterable', value);
  }
}

/** Refuses all but a string. */
export function checkString(name: string, value: string): void {
  if (typeof value !== 'string') throw invalidType(name, 'a string', value);
}
