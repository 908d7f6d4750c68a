/** Loads and stores as the interpreter does them: by the TLB, and what that does not have the slow way. */
import { Evaluator } from './evaluator.ts';
import * as places from './scratch.ts';
import * as tlbs from './tlb.ts';

/** See `evaluator.ts`. */
const { ADDRESS, scratch, scratchHalves, VALUE } = places;
const { entryOf } = tlbs;

export abstract class DataPort extends Evaluator {
  /** Of loads and stores; which one depends on PSTATE. */
  tlb = new tlbs.Tlb();

  protected abstract loadSlowly(bytes: 1 | 2 | 4 | 8): bigint;
  protected abstract storeSlowly(bytes: 1 | 2 | 4 | 8, value: bigint): void;

  at(address: bigint): void {
    scratch[ADDRESS] = address;
  }

  next(bytes: number): void {
    scratch[ADDRESS] = BigInt.asUintN(64, scratch[ADDRESS]! + BigInt(bytes));
  }

  load64(): bigint {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    let words: BigUint64Array = scratch;
    let at = VALUE;
    if (page.readable === (low & ~0xff8) && page.high === scratchHalves[2 * ADDRESS + 1]) {
      words = page.ram.u64;
      at = page.words + ((low & 0xfff) >> 3);
    } else scratch[VALUE] = this.loadSlowly(8);
    return words[at]!;
  }

  load32(): bigint {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    let value: number;
    if (page.readable === (low & ~0xffc) && page.high === scratchHalves[2 * ADDRESS + 1])
      value = page.ram.u32[page.words * 2 + ((low & 0xfff) >> 2)]!;
    else {
      scratch[VALUE] = this.loadSlowly(4);
      value = scratchHalves[2 * VALUE]! >>> 0;
    }
    return BigInt(value);
  }

  load16(): bigint {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    let value: number;
    if (page.readable === (low & ~0xffe) && page.high === scratchHalves[2 * ADDRESS + 1])
      value = page.ram.u16[page.words * 4 + ((low & 0xfff) >> 1)]!;
    else {
      scratch[VALUE] = this.loadSlowly(2);
      value = scratchHalves[2 * VALUE]! >>> 0;
    }
    return BigInt(value);
  }

  load8(): bigint {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    let value: number;
    if (page.readable === (low & ~0xfff) && page.high === scratchHalves[2 * ADDRESS + 1])
      value = page.ram.u8[page.words * 8 + (low & 0xfff)]!;
    else {
      scratch[VALUE] = this.loadSlowly(1);
      value = scratchHalves[2 * VALUE]! >>> 0;
    }
    return BigInt(value);
  }

  store64(value: bigint): void {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    if (page.writable === (low & ~0xff8) && page.high === scratchHalves[2 * ADDRESS + 1])
      page.ram.u64[page.words + ((low & 0xfff) >> 3)] = value;
    else this.storeSlowly(8, value);
  }

  store32(value: bigint): void {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    scratch[VALUE] = value;
    if (page.writable === (low & ~0xffc) && page.high === scratchHalves[2 * ADDRESS + 1])
      page.ram.u32[page.words * 2 + ((low & 0xfff) >> 2)] = scratchHalves[2 * VALUE]!;
    else this.storeSlowly(4, value);
  }

  store16(value: bigint): void {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    scratch[VALUE] = value;
    if (page.writable === (low & ~0xffe) && page.high === scratchHalves[2 * ADDRESS + 1])
      page.ram.u16[page.words * 4 + ((low & 0xfff) >> 1)] = scratchHalves[2 * VALUE]!;
    else this.storeSlowly(2, value);
  }

  store8(value: bigint): void {
    const low = scratchHalves[2 * ADDRESS]!;
    const page = this.tlb.data[entryOf(low)]!;
    scratch[VALUE] = value;
    if (page.writable === (low & ~0xfff) && page.high === scratchHalves[2 * ADDRESS + 1])
      page.ram.u8[page.words * 8 + (low & 0xfff)] = scratchHalves[2 * VALUE]!;
    else this.storeSlowly(1, value);
  }
}
