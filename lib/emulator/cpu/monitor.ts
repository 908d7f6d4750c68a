/**
 * The exclusive monitor. A store succeeds if memory still has what the load saw, as in other emulators: CPUs take turns,
 * so nothing comes between the comparison and the store.
 */
export class Monitor {
  #address = -1;
  #bytes = 0;
  #low = 0n;
  #high = 0n;

  clear(): void {
    this.#address = -1;
  }

  get armed(): boolean {
    return this.#address >= 0;
  }

  /** Marks what a load has seen, by physical address. */
  mark(address: number, bytes: number, low: bigint, high = 0n): void {
    this.#address = address;
    this.#bytes = bytes;
    this.#low = low;
    this.#high = high;
  }

  /** Whether a store to this address would follow the load. */
  covers(address: number, bytes: number): boolean {
    return this.#address === address && this.#bytes === bytes;
  }

  unchanged(low: bigint, high = 0n): boolean {
    return low === this.#low && high === this.#high;
  }
}
