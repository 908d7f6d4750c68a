/** What the decoder makes of an instruction word: a record with everything that its semantics read. */
import type { Builder } from './builder.ts';
import type { Cpu } from './cpu.ts';
import type { Fields } from './pattern.ts';

/**
 * The constructor makes the fields (`declare`), what runs most often first: V8 keeps the type of a field that has a
 * value from the start, and a record lies in few cache lines.
 */
export class Instruction {
  /** What it does, as the interpreter runs it. */
  declare readonly run: (cpu: Cpu, instruction: Instruction) => void;
  /** Registers as slots of the register file; which of them there are, the row's pattern says. */
  declare d: number;
  declare n: number;
  declare m: number;
  declare a: number;
  /** A shift, an extension, a lane size: numbers that choose among forms. */
  declare kind: number;
  declare amount: number;
  /** Of the operation, in bits. */
  declare width: 32 | 64;
  /** Of addressing (`loads-stores.ts`). */
  declare mode: 0 | 1 | 2 | 3;
  declare imm: bigint;
  /** A second immediate. */
  declare imm2: bigint;
  /** Of a branch, in bytes from its own address. */
  declare offset: number;
  declare condition: number;
  declare readonly row: Row;
  declare readonly word: number;

  constructor(row: Row, word: number, run: (cpu: Cpu, instruction: Instruction) => void) {
    this.run = run;
    this.d = 0;
    this.n = 0;
    this.m = 0;
    this.kind = 0;
    this.amount = 0;
    this.width = 32;
    this.mode = 0;
    this.imm = 0n;
    this.imm2 = 0n;
    this.offset = 0;
    this.condition = 0;
    this.a = 0;
    this.row = row;
    this.word = word;
  }

  /** Works on 64 bits, not on 32. A field that held a boolean would cost V8 more to test. */
  get sf(): boolean {
    return this.width === 64;
  }

  set sf(is64: boolean) {
    this.width = is64 ? 64 : 32;
  }
}

/** Semantics that any core can be generated from. */
export type Semantics = <V, C>(b: Builder<V, C>, i: Instruction) => void;

/** What the abort of a load or store tells the hypervisor of it (D24.2.40, ISS of a Data Abort with ISV = 1). */
export interface Syndrome {
  /** log2 of the bytes. */
  readonly size: number;
  readonly signExtend: boolean;
  /** The register is 64 bits wide. */
  readonly sixtyFour: boolean;
  readonly acquireRelease: boolean;
}

/** A class of instruction words. */
export interface Row {
  /** The mnemonic without aliases, as `objdump -M no-aliases` writes it. */
  readonly name: string;
  /** Its 32 bits, highest first, in the language of `pattern.ts`. */
  readonly bits: string;
  /** Fills the record with what the letters of the pattern do not say by themselves; false: the word is unallocated. */
  readonly read?: (fields: Fields, instruction: Instruction) => boolean | undefined;
  /** Either semantics, or a function of the interpreter: for what is rare, or changes more than registers. */
  readonly semantics?: Semantics;
  readonly helper?: (cpu: Cpu, instruction: Instruction) => void;
  /** The feature that it is part of, where Armv8.0 does not have it. */
  readonly feature?: string;
  /** Set where the abort of its access describes it in full: a single general register, no write-back. */
  readonly syndrome?: Syndrome;
}
