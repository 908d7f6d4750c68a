/** Decoded instructions, by physical page. All CPUs of a machine share them. */
import { decode } from './decode.ts';
import { Instruction, type Row } from './instruction.ts';
import type { PhysicalMemory } from './memory.ts';

const WORDS = 1024;

/** The records of a page; a word that has not run yet has `DECODE` in its place. */
export class CodePage {
  declare readonly records: Instruction[];
  /** When the records were last known to be those of the words: a value of {@link CodeCache.epoch}. */
  epoch = 0;
  readonly #word: (index: number) => number;
  readonly #hasFeature: (feature: string) => boolean;

  constructor(word: (index: number) => number, hasFeature: (feature: string) => boolean) {
    this.records = new Array<Instruction>(WORDS).fill(DECODE);
    this.records.push(NEXT_PAGE);
    this.#word = word;
    this.#hasFeature = hasFeature;
  }

  decode(index: number): Instruction {
    const record = decode(this.#word(index), this.#hasFeature);
    this.records[index] = record;
    return record;
  }

  /** Drops the records of words that are others now. */
  compare(): void {
    for (let index = 0; index < WORDS; index++) {
      const record = this.records[index]!;
      if (record !== DECODE && record.word !== this.#word(index)) this.records[index] = DECODE;
    }
  }

  /** The bytes from `offset` have changed. */
  forget(offset: number, bytes: number): void {
    const end = Math.min(WORDS, (offset + bytes + 3) >> 2);
    this.records.fill(DECODE, offset >> 2, end);
  }
}

/** Steps of the interpreter's own between instructions: they cost no budget. */
const pseudo = (name: string, run: Instruction['run']): Instruction =>
  new Instruction({ name, bits: '' } satisfies Row, 0, run);

/** Whether a record is such a step. */
export const isStandIn = ({ row }: Instruction): boolean => row.bits === '';

const DECODE = pseudo('(decode)', cpu => cpu.decodeHere());
const NEXT_PAGE = pseudo('(next page)', cpu => cpu.enterNextPage());
const FETCH = pseudo('(fetch)', cpu => cpu.fetch());

/** In the place of a page: the CPU is to look for interrupts, and for the page that the PC is in. */
export const FETCH_PAGE: CodePage = new CodePage(
  () => 0,
  () => false,
);
FETCH_PAGE.records.fill(FETCH);

export class CodeCache {
  readonly #memory: PhysicalMemory;
  readonly #hasFeature: (feature: string) => boolean;
  readonly #pages = new Map<number, CodePage>();
  readonly #onNewPage: () => void;
  /** Counts the times that memory may have changed unseen. */
  epoch = 0;

  /**
   * `hasFeature` says which features (`Row.feature`) the CPUs have; `onNewPage` is told when a page gets its first
   * records.
   */
  constructor(memory: PhysicalMemory, hasFeature: (feature: string) => boolean, onNewPage: () => void) {
    this.#memory = memory;
    this.#hasFeature = hasFeature;
    this.#onNewPage = onNewPage;
  }

  has(page: number): boolean {
    return this.#pages.has(page);
  }

  /** The records of a page of RAM; undefined where there is none. */
  page(page: number): CodePage | undefined {
    const known = this.#pages.get(page);
    if (known !== undefined) return known;
    const ram = this.#memory.ram(page, false);
    if (ram === undefined) return undefined;
    const first = ram.wordsBefore(page) * 2;
    const code = new CodePage(index => ram.u32[first + index]!, this.#hasFeature);
    this.#pages.set(page, code);
    this.#onNewPage();
    return code;
  }

  /** Has the records of a page that is about to run hold what its words say. */
  refresh(page: CodePage): void {
    page.compare();
    page.epoch = this.epoch;
  }

  /** Memory has changed behind the CPUs' back, or by a store of one of them. */
  written(address: number, bytes: number): void {
    for (let at = address; at < address + bytes; ) {
      const offset = at % 4096;
      const part = Math.min(4096 - offset, address + bytes - at);
      this.#pages.get((at - offset) / 4096)?.forget(offset, part);
      at += part;
    }
  }

  /** The memory map has changed: no record is good any more. */
  clear(): void {
    for (const page of this.#pages.values()) page.forget(0, 4096);
    this.#pages.clear();
  }
}
