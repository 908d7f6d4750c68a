/**
 * Many registers at once, packed as the batch calls take them.
 *
 * @packageDocumentation
 */
import { types } from 'node:util';
import { checkIterable, invalidType, invalidValue, outOfRange } from './abi/argument.ts';
import { registerBits, wordOffsets } from './abi/register-id.ts';
import { formatRegister, parseRegister } from './abi/register-names.ts';
import { ioctlError, type KvmError, type KvmErrorDetails } from './errors.ts';

/** A register by its 64-bit id, or by a name that `parseRegister` knows. */
export type Register = bigint | string;

/** Accepts an id or a name. */
export function toRegisterId(register: Register): bigint {
  if (typeof register === 'string') return parseRegister(register);
  if (typeof register !== 'bigint') throw invalidType('register', 'a register id (bigint) or name', register);
  if (register < 0n || register > 0xffff_ffff_ffff_ffffn)
    throw outOfRange('register', 'a 64-bit id', register);
  return register;
}

/** Accepts ids and names, and copies them. */
export function toRegisterIds(registers: Iterable<Register>): BigUint64Array {
  // An array that is detached has no elements, and cannot be copied.
  if (types.isBigUint64Array(registers))
    return registers.length > 0 ? registers.slice() : new BigUint64Array();
  checkIterable('registers', registers);
  return BigUint64Array.from(Array.from(registers, toRegisterId));
}

/** Accepts a value that fits the width which the id encodes. */
export function checkRegisterValue(id: bigint, value: bigint): void {
  if (typeof value !== 'bigint') throw invalidType('value', 'a bigint', value);
  const bits = registerBits(id);
  if (value < 0n || value >> BigInt(bits) !== 0n) {
    throw outOfRange(
      'value',
      `unsigned and of at most ${bits} bits, the width of ${formatRegister(id)}`,
      value,
    );
  }
}

/**
 * Registers with their values and, for each, whether the kernel gave or took it. What `vcpu.getRegs()` returns
 * and `vcpu.setRegs()` takes and returns; iterating gives `[id, value]` of those that succeeded.
 *
 * @example
 * ```ts
 * const batch = vcpu.getRegs(['PC', 'SCTLR_EL1']);
 * batch.get('PC'); // 0n
 * for (const [id, value] of batch) console.log(formatRegister(id), value);
 * ```
 */
export class RegisterBatch implements Iterable<readonly [id: bigint, value: bigint]> {
  /** The ids, in the order of the call. */
  readonly ids: BigUint64Array;
  /** The values, packed: each takes its width in whole 64-bit words, little-endian, zero-extended. */
  readonly words: BigUint64Array;
  /** For each register 0, or the negative errno with which the kernel refused it. */
  readonly status: Int32Array;
  readonly #request: string;
  /** Where each register's words begin; with one more entry, the end. Only needed when values are looked at. */
  #offsets: Uint32Array | undefined;

  /** @internal Use `vcpu.getRegs()` or {@link RegisterBatch.from}. */
  constructor(ids: BigUint64Array, request: string, words?: BigUint64Array, status?: Int32Array) {
    this.ids = ids;
    this.#request = request;
    this.words = words ?? new BigUint64Array(this.#computeOffsets()[ids.length]!);
    this.status = status ?? new Int32Array(ids.length);
  }

  /**
   * A batch to write.
   *
   * @param entries - registers with their values, in the order in which they are to be written
   * @throws RangeError for a value wider than its register
   */
  static from(entries: Iterable<readonly [Register, bigint]>): RegisterBatch {
    checkIterable('entries', entries);
    const pairs = Array.from(entries, entry => {
      if (!Array.isArray(entry)) throw invalidType('entries', 'pairs of [register, value]', entry);
      const [register, value] = entry as [Register, bigint];
      const id = toRegisterId(register);
      checkRegisterValue(id, value);
      return [id, value] as const;
    });
    const batch = new RegisterBatch(
      BigUint64Array.from(pairs, ([id]) => id),
      'KVM_SET_ONE_REG',
    );
    pairs.forEach(([, value], i) => {
      batch.#store(i, value);
    });
    return batch;
  }

  /** How many registers it holds. */
  get length(): number {
    return this.ids.length;
  }

  /** How many the kernel refused. */
  get failed(): number {
    let count = 0;
    for (let i = 0; i < this.length; i++) if (this.status[i]! < 0) count++;
    return count;
  }

  /** The value of the register at an index, unsigned, whatever its status (0 where it could not be read). */
  valueAt(index: number): bigint {
    this.#checkIndex(index);
    const start = this.#start(index);
    let value = this.words[start]!;
    for (let i = start + 1; i < this.#start(index + 1); i++)
      value |= this.words[i]! << (BigInt(i - start) * 64n);
    return value;
  }

  /** The error of the register at an index, if the kernel refused it. */
  errorAt(index: number, details?: KvmErrorDetails): KvmError | undefined {
    this.#checkIndex(index);
    const status = this.status[index]!;
    if (status >= 0) return undefined;
    const id = this.ids[index]!;
    return ioctlError(this.#request, status, { ...details, register: { id, name: formatRegister(id) } });
  }

  /**
   * The value of a register of this batch.
   *
   * @throws the KvmError with which the kernel refused it; TypeError for a register that is not among them
   */
  get(register: Register): bigint {
    const id = toRegisterId(register);
    const index = this.ids.indexOf(id);
    if (index < 0) throw invalidValue('register', 'one of this batch', register);
    const error = this.errorAt(index);
    if (error !== undefined) throw error;
    return this.valueAt(index);
  }

  *[Symbol.iterator](): Generator<readonly [id: bigint, value: bigint]> {
    for (let i = 0; i < this.length; i++) {
      if (this.status[i] === 0) yield [this.ids[i]!, this.valueAt(i)];
    }
  }

  /** Values in hex by name, of those that succeeded: what `JSON.stringify` takes, which knows no bigint. */
  toJSON(): Record<string, string> {
    return Object.fromEntries(
      Array.from(this, ([id, value]) => [formatRegister(id), `0x${value.toString(16)}`]),
    );
  }

  #store(index: number, value: bigint): void {
    for (let i = this.#start(index), rest = value; i < this.#start(index + 1); i++, rest >>= 64n)
      this.words[i] = rest;
  }

  #start(index: number): number {
    return this.#computeOffsets()[index]!;
  }

  #checkIndex(index: number): void {
    if (typeof index !== 'number') throw invalidType('index', 'a number', index);
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw outOfRange('index', `that of one of ${this.length} registers`, index);
  }

  #computeOffsets(): Uint32Array {
    this.#offsets ??= wordOffsets(this.ids);
    return this.#offsets;
  }
}
