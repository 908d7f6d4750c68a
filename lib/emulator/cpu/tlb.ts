/**
 * The software TLB: what the fast path of loads, stores and fetches looks at. Direct-mapped by page of 4 KiB. The low
 * half of a tag has zeroes in its lowest bits, so that comparing it with an address of which the bits below its
 * alignment are kept finds "same page" and "aligned" at once; what is misaligned goes the slow way.
 */
import type { CodePage } from './code.ts';
import type { Ram } from './memory.ts';

const ENTRIES = 1024;

/** Not a possible tag. */
const EMPTY = -1;

export const entryOf = (low: number): number => (low >>> 12) & (ENTRIES - 1);

export class Tlb {
  /** Low and high halves of the pages that may be read; likewise written and run. */
  readonly readable = new Int32Array(2 * ENTRIES).fill(EMPTY);
  readonly writable = new Int32Array(2 * ENTRIES).fill(EMPTY);
  readonly executable = new Int32Array(2 * ENTRIES).fill(EMPTY);
  /** RAM and its word where the page starts, for reads and writes. */
  readonly ram: (Ram | undefined)[] = new Array(ENTRIES).fill(undefined);
  readonly words = new Int32Array(ENTRIES);
  readonly code: (CodePage | undefined)[] = new Array(ENTRIES).fill(undefined);
  /** Pages whose accesses must be aligned: Device memory. */
  readonly aligned = new Uint8Array(ENTRIES);
  /** Blocks of more than 4 KiB that entries came from: log2 of the size, and the addresses in units of it. */
  readonly #blocks = new Map<number, Set<bigint>>();

  /** Puts a page into `readable` or `writable`; an entry describes one page for both. */
  fill(tags: Int32Array, address: bigint, ram: Ram, words: number, aligned: boolean): void {
    const low = Number(BigInt.asIntN(32, address & ~0xfffn));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const entry = entryOf(low);
    const others = tags === this.readable ? this.writable : this.readable;
    if (others[2 * entry] !== low || others[2 * entry + 1] !== high) others[2 * entry] = EMPTY;
    tags[2 * entry] = low;
    tags[2 * entry + 1] = high;
    this.ram[entry] = ram;
    this.words[entry] = words;
    this.aligned[entry] = aligned ? 1 : 0;
  }

  fillCode(address: bigint, page: CodePage): void {
    const low = Number(BigInt.asIntN(32, address & ~0xfffn));
    const entry = entryOf(low);
    this.executable[2 * entry] = low;
    this.executable[2 * entry + 1] = Number(BigInt.asIntN(32, address >> 32n));
    this.code[entry] = page;
  }

  noteBlock(address: bigint, log2Size: number): void {
    let known = this.#blocks.get(log2Size);
    if (known === undefined) {
      known = new Set();
      this.#blocks.set(log2Size, known);
    }
    known.add(BigInt.asUintN(56, address) >> BigInt(log2Size));
  }

  flush(): void {
    this.readable.fill(EMPTY);
    this.writable.fill(EMPTY);
    this.executable.fill(EMPTY);
    this.#blocks.clear();
  }

  /** Stores to pages that have become code must be seen. */
  flushWritable(): void {
    this.writable.fill(EMPTY);
  }

  /** Forgets a page, and the whole block that it is part of. */
  flushPage(address: bigint): void {
    const place = BigInt.asUintN(56, address);
    for (const [log2Size, known] of this.#blocks) {
      if (known.has(place >> BigInt(log2Size))) {
        this.flush();
        return;
      }
    }
    const entry = entryOf(Number(address & 0xffff_ffffn));
    this.readable[2 * entry] = EMPTY;
    this.writable[2 * entry] = EMPTY;
    this.executable[2 * entry] = EMPTY;
  }
}
