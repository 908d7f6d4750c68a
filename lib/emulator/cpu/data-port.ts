/** Loads and stores as the interpreter does them: by the TLB, and what that does not have the slow way. */
import { Evaluator } from './evaluator.ts';
import * as slots from './state.ts';
import * as tlbs from './tlb.ts';

/** See `evaluator.ts`. */
const { ADDRESS, SCRATCH } = slots;
const { entryOf } = tlbs;

export abstract class DataPort extends Evaluator {
  /** Of loads and stores; which one depends on PSTATE. */
  tlb = new tlbs.Tlb();

  protected abstract loadSlowly(bytes: 1 | 2 | 4 | 8): bigint;
  protected abstract storeSlowly(bytes: 1 | 2 | 4 | 8, value: bigint): void;

  at(address: bigint): void {
    this.registers[ADDRESS] = address;
  }

  next(bytes: number): void {
    this.registers[ADDRESS] = BigInt.asUintN(64, this.registers[ADDRESS]! + BigInt(bytes));
  }

  load64(): bigint {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    let words = this.registers;
    let at = SCRATCH;
    if (
      tlb.readable[2 * entry] === (low & ~0xff8) &&
      tlb.readable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    ) {
      words = tlb.ram[entry]!.u64;
      at = tlb.words[entry]! + ((low & 0xfff) >> 3);
    } else words[SCRATCH] = this.loadSlowly(8);
    return words[at]!;
  }

  load32(): bigint {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    let value: number;
    if (
      tlb.readable[2 * entry] === (low & ~0xffc) &&
      tlb.readable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      value = tlb.ram[entry]!.u32[tlb.words[entry]! * 2 + ((low & 0xfff) >> 2)]!;
    else {
      this.registers[SCRATCH] = this.loadSlowly(4);
      value = this.halves[2 * SCRATCH]! >>> 0;
    }
    return BigInt(value);
  }

  load16(): bigint {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    let value: number;
    if (
      tlb.readable[2 * entry] === (low & ~0xffe) &&
      tlb.readable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      value = tlb.ram[entry]!.u16[tlb.words[entry]! * 4 + ((low & 0xfff) >> 1)]!;
    else {
      this.registers[SCRATCH] = this.loadSlowly(2);
      value = this.halves[2 * SCRATCH]! >>> 0;
    }
    return BigInt(value);
  }

  load8(): bigint {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    let value: number;
    if (
      tlb.readable[2 * entry] === (low & ~0xfff) &&
      tlb.readable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      value = tlb.ram[entry]!.u8[tlb.words[entry]! * 8 + (low & 0xfff)]!;
    else {
      this.registers[SCRATCH] = this.loadSlowly(1);
      value = this.halves[2 * SCRATCH]! >>> 0;
    }
    return BigInt(value);
  }

  store64(value: bigint): void {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    if (
      tlb.writable[2 * entry] === (low & ~0xff8) &&
      tlb.writable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      tlb.ram[entry]!.u64[tlb.words[entry]! + ((low & 0xfff) >> 3)] = value;
    else this.storeSlowly(8, value);
  }

  store32(value: bigint): void {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    this.registers[SCRATCH] = value;
    if (
      tlb.writable[2 * entry] === (low & ~0xffc) &&
      tlb.writable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      tlb.ram[entry]!.u32[tlb.words[entry]! * 2 + ((low & 0xfff) >> 2)] = this.halves[2 * SCRATCH]!;
    else this.storeSlowly(4, value);
  }

  store16(value: bigint): void {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    this.registers[SCRATCH] = value;
    if (
      tlb.writable[2 * entry] === (low & ~0xffe) &&
      tlb.writable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      tlb.ram[entry]!.u16[tlb.words[entry]! * 4 + ((low & 0xfff) >> 1)] = this.halves[2 * SCRATCH]!;
    else this.storeSlowly(2, value);
  }

  store8(value: bigint): void {
    const low = this.halves[2 * ADDRESS]!;
    const { tlb } = this;
    const entry = entryOf(low);
    this.registers[SCRATCH] = value;
    if (
      tlb.writable[2 * entry] === (low & ~0xfff) &&
      tlb.writable[2 * entry + 1] === this.halves[2 * ADDRESS + 1]
    )
      tlb.ram[entry]!.u8[tlb.words[entry]! * 8 + (low & 0xfff)] = this.halves[2 * SCRATCH]!;
    else this.storeSlowly(1, value);
  }
}
