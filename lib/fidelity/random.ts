/**
 * Random numbers that a seed determines, alike on every machine.
 *
 * @packageDocumentation
 */

/** A stream of random choices (mulberry32: 32 bits of state are plenty for sequences of some hundred calls). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** Once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of a table, each as often as its weight says. */
  weighted<T>(table: readonly (readonly [weight: number, T])[]): T {
    let rest = this.below(table.reduce((sum, [weight]) => sum + weight, 0));
    return table.find(([weight]) => {
      rest -= weight;
      return rest < 0;
    })![1];
  }

  /** Random bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
