/** What the decoder makes of an instruction word: a record with everything that its semantics read. */
import type { Builder } from './builder.ts';
import type { Cpu } from './cpu.ts';
import type { Fields } from './pattern.ts';

/** Its fields have no value before the constructor gives one (`declare`): V8 keeps the type of each that way. */
export class Instruction {
  /** What it does, as the interpreter runs it. */
  declare readonly run: (cpu: Cpu, instruction: Instruction) => void;
  declare readonly row: Row;
  declare readonly word: number;
  /** Registers as slots of the register file; which of them there are, the row's pattern says. */
  d = 0;
  n = 0;
  m = 0;
  a = 0;
  /** Of the operation, in bits. */
  width: 32 | 64 = 32;
  imm = 0n;
  /** A second immediate. */
  imm2 = 0n;
  /** A shift, an extension, a lane size: numbers that choose among forms. */
  kind = 0;
  amount = 0;
  /** Of addressing (`loads-stores.ts`). */
  mode: 0 | 1 | 2 | 3 = 0;
  condition = 0;
  /** Of a branch, in bytes from its own address. */
  offset = 0;

  constructor(row: Row, word: number, run: (cpu: Cpu, instruction: Instruction) => void) {
    this.row = row;
    this.word = word;
    this.run = run;
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
