/**
 * The software TLB: what the fast path of loads, stores and fetches looks at. Direct-mapped by page of 4 KiB. The low
 * half of a tag has zeroes in its lowest bits, so that comparing it with an address of which the bits below its
 * alignment are kept finds "same page" and "aligned" at once; what is misaligned goes the slow way.
 */
import type { CodePage } from './code.ts';
import { Ram } from './memory.ts';

const ENTRIES = 1024;

/** Not a possible tag. */
const EMPTY = -1;

export const entryOf = (low: number): number => (low >>> 12) & (ENTRIES - 1);

/** A page of data. */
export class DataPage {
  /** Low halves of its address where it may be read and written, or EMPTY; and the high half. */
  declare readable: number;
  declare writable: number;
  declare readonly high: number;
  /** RAM and its word where the page starts. */
  declare readonly ram: Ram;
  declare readonly words: number;
  /** Accesses must be aligned: Device memory. */
  declare readonly aligned: boolean;

  constructor(high: number, ram: Ram, words: number, aligned: boolean) {
    this.readable = EMPTY;
    this.writable = EMPTY;
    // Small integers, which results of divisions and of Number() need not be to V8.
    this.high = high | 0;
    this.ram = ram;
    this.words = words | 0;
    this.aligned = aligned;
  }
}

const NO_RAM = new Ram(0, new ArrayBuffer(0), 0, 0);
const NO_PAGE = new DataPage(EMPTY, NO_RAM, 0, false);

export class Tlb {
  readonly data: DataPage[] = Array.from({ length: ENTRIES }, () => NO_PAGE);
  /** Low and high halves of the pages that may be run. */
  readonly executable = new Int32Array(2 * ENTRIES).fill(EMPTY);
  readonly code: (CodePage | undefined)[] = new Array(ENTRIES).fill(undefined);
  /** Blocks of more than 4 KiB that entries came from: log2 of the size, and the addresses in units of it. */
  readonly #blocks = new Map<number, Set<bigint>>();

  /** Lets a page be read or written. */
  fill(right: 'readable' | 'writable', address: bigint, ram: Ram, words: number, aligned: boolean): void {
    const low = Number(BigInt.asUintN(32, address)) & ~0xfff;
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const known = this.data[entryOf(low)]!;
    const same =
      (known.readable === low || known.writable === low) &&
      known.high === high &&
      known.ram === ram &&
      known.words === words &&
      known.aligned === aligned;
    const page = same ? known : new DataPage(high, ram, words, aligned);
    page[right] = low;
    this.data[entryOf(low)] = page;
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
    this.data.fill(NO_PAGE);
    this.executable.fill(EMPTY);
    this.#blocks.clear();
  }

  /** Stores to pages that have become code must be seen. */
  flushWritable(): void {
    for (const page of this.data) page.writable = EMPTY;
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
    this.data[entry] = NO_PAGE;
    this.executable[2 * entry] = EMPTY;
  }
}
