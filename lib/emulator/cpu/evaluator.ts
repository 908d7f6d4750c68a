/**
 * The arithmetic of the interpreter: the builder's operations, each done at once.
 *
 * V8 keeps a bigint in a machine register from where it is loaded to where it is stored, as long as each operation is
 * one that it has for 64 bits, and ends in `asUintN`. It makes an object of one that is given to a function or comes
 * from one that it does not inline, or that has one of two values where branches meet: so there are none here, and a
 * choice is made by a mask, or each branch keeps its value in `scratch.ts`. A number becomes one without a call where
 * it is known to be an unsigned one of 32 bits (`>>> 0`).
 */
import * as places from './scratch.ts';
import * as slots from './state.ts';

/** The module's own: V8 folds these, and looks up what a module imports each time. */
const { C, N, V, Z } = slots;
const { scratch, scratchHalves, VALUE } = places;

/**
 * Shifts are products, and of halves: V8 has 64-bit machine operations for these, where a shift of a bigint would call
 * its runtime and be ten times slower.
 */
const POWERS = BigUint64Array.from({ length: 64 }, (_, by) => 1n << BigInt(by));

/** By width: that many ones, and the factor that moves so many bits to the top. */
const ONES = BigUint64Array.from({ length: 65 }, (_, width) => (1n << BigInt(width)) - 1n);
const TO_TOP = BigUint64Array.from({ length: 65 }, (_, width) => 1n << BigInt(64 - width));

/**
 * By condition, a bit for each NZCV that passes (ConditionHolds, shared/functions/system): a branch on the condition
 * would be one that the processor mispredicts.
 */
const PASSES = new Uint16Array(new ArrayBuffer(32));
for (let flags = 0; flags < 16; flags++) {
  const [n, z, c, v] = [8, 4, 2, 1].map(bit => (flags & bit) !== 0);
  const passes = [z, c, n, v, c && !z, n === v, n === v && !z, true];
  for (const [index, pass] of passes.entries()) {
    PASSES[2 * index]! |= Number(pass) << flags;
    PASSES[2 * index + 1]! |= Number(!pass || index === 7) << flags;
  }
}

/** Bits of a half above 8, 16 and 32. */
const UNUSED = Int32Array.of(24, 16, 0);

export class Evaluator {
  declare readonly state: slots.CpuState;
  /** The register file, and its halves: of the state, at hand. */
  declare protected readonly registers: BigUint64Array;
  declare protected readonly halves: Int32Array;

  constructor(features: slots.PstateFeatures) {
    this.state = new slots.CpuState(features);
    this.registers = this.state.x;
    this.halves = this.state.halves;
  }

  x(slot: number): bigint {
    return this.registers[slot]!;
  }

  setX(slot: number, value: bigint): void {
    this.registers[slot] = value;
  }

  keep(place: number, value: bigint): void {
    scratch[place] = value;
  }

  kept(place: number): bigint {
    return scratch[place]!;
  }

  constant(value: bigint): bigint {
    return value;
  }

  add(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, a + b);
  }

  sub(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, a - b);
  }

  mul(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, a * b);
  }

  and(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, a & b);
  }

  or(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, a | b);
  }

  xor(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, a ^ b);
  }

  not(a: bigint): bigint {
    return BigInt.asUintN(64, a ^ 0xffff_ffff_ffff_ffffn);
  }

  shl(a: bigint, by: number): bigint {
    return BigInt.asUintN(64, a * POWERS[by]!);
  }

  shr(a: bigint, by: number): bigint {
    scratch[VALUE] = a;
    let low = scratchHalves[2 * VALUE]!;
    let high = scratchHalves[2 * VALUE + 1]! >>> 0;
    if (by & 32) {
      low = high;
      high = 0;
    }
    const left = BigInt.asUintN(64, BigInt(high) * POWERS[32 - (by & 31)]!);
    return BigInt.asUintN(64, left + BigInt(low >>> (by & 31)));
  }

  sar(a: bigint, by: number): bigint {
    scratch[VALUE] = a;
    let low = scratchHalves[2 * VALUE]!;
    let high = scratchHalves[2 * VALUE + 1]!;
    if (by & 32) {
      low = high;
      high >>= 31;
    }
    const left = BigInt.asUintN(64, BigInt(high) * POWERS[32 - (by & 31)]!);
    return BigInt.asUintN(64, left + BigInt(low >>> (by & 31)));
  }

  shlBy(a: bigint, by: bigint): bigint {
    return this.shl(a, this.#amount(by));
  }

  shrBy(a: bigint, by: bigint): bigint {
    return this.shr(a, this.#amount(by));
  }

  sarBy(a: bigint, by: bigint): bigint {
    return this.sar(a, this.#amount(by));
  }

  #amount(by: bigint): number {
    scratch[VALUE] = by;
    return scratchHalves[2 * VALUE]!;
  }

  low8(a: bigint): bigint {
    return BigInt.asUintN(8, a);
  }

  low16(a: bigint): bigint {
    return BigInt.asUintN(16, a);
  }

  low32(a: bigint): bigint {
    return BigInt.asUintN(32, a);
  }

  low(a: bigint, width: 32 | 64): bigint {
    return BigInt.asUintN(64, a & ONES[width]!);
  }

  atTop(a: bigint, width: 32 | 64): bigint {
    return BigInt.asUintN(64, a * TO_TOP[width]!);
  }

  extend(a: bigint, kind: number, by: number): bigint {
    scratch[VALUE] = a;
    let low = scratchHalves[2 * VALUE]!;
    let high = scratchHalves[2 * VALUE + 1]!;
    if ((kind & 3) !== 3) {
      const unused = UNUSED[kind & 3]!;
      low <<= unused;
      low = kind & 4 ? low >> unused : low >>> unused;
      high = kind & 4 ? low >> 31 : 0;
    }
    const upper = BigInt.asUintN(64, BigInt(high >>> 0) * POWERS[32]!);
    return BigInt.asUintN(64, BigInt.asUintN(64, upper + BigInt(low >>> 0)) * POWERS[by]!);
  }

  sign8(a: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(8, a));
  }

  sign16(a: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(16, a));
  }

  sign32(a: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(32, a));
  }

  umulh(a: bigint, b: bigint): bigint {
    return (a * b) >> 64n;
  }

  smulh(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, (BigInt.asIntN(64, a) * BigInt.asIntN(64, b)) >> 64n);
  }

  udiv(a: bigint, b: bigint): bigint {
    return b === 0n ? 0n : BigInt.asUintN(64, a) / BigInt.asUintN(64, b);
  }

  sdiv(a: bigint, b: bigint): bigint {
    return b === 0n ? 0n : BigInt.asUintN(64, BigInt.asIntN(64, a) / BigInt.asIntN(64, b));
  }

  clz(a: bigint): bigint {
    scratch[VALUE] = a;
    const high = scratchHalves[2 * VALUE + 1]!;
    return BigInt(high !== 0 ? Math.clz32(high) : 32 + Math.clz32(scratchHalves[2 * VALUE]!));
  }

  addFlags(a: bigint, b: bigint, carry: bigint): bigint {
    const x = this.registers;
    const sum = BigInt.asUintN(64, a + b + carry);
    x[N] = sum;
    x[Z] = sum;
    x[C] = BigInt.asUintN(64, (a & b) | ((a | b) & (sum ^ 0xffff_ffff_ffff_ffffn)));
    x[V] = BigInt.asUintN(64, (a ^ sum) & (b ^ sum));
    return sum;
  }

  logicalFlags(result: bigint): void {
    const x = this.registers;
    x[N] = result;
    x[Z] = result;
    x[C] = 0n;
    x[V] = 0n;
  }

  setNzcv(nzcv: number): void {
    this.state.nzcv = nzcv;
  }

  carry(): bigint {
    return BigInt(this.halves[2 * C + 1]! >>> 31);
  }

  holds(condition: number): boolean {
    const halves = this.halves;
    const z = halves[2 * Z]! | halves[2 * Z + 1]!;
    const flags =
      ((halves[2 * N + 1]! >>> 31) << 3) |
      ((~(z | -z) >>> 31) << 2) |
      ((halves[2 * C + 1]! >>> 31) << 1) |
      (halves[2 * V + 1]! >>> 31);
    return ((PASSES[condition]! >>> flags) & 1) !== 0;
  }

  isZero(a: bigint): boolean {
    // V8 has no comparison of 64-bit integers.
    scratch[VALUE] = a;
    return (scratchHalves[2 * VALUE]! | scratchHalves[2 * VALUE + 1]!) === 0;
  }

  not1(a: boolean): boolean {
    return !a;
  }

  select(condition: boolean, yes: bigint, no: bigint): bigint {
    return BigInt.asUintN(64, no ^ ((yes ^ no) & ONES[condition ? 64 : 0]!));
  }

  when(condition: boolean, yes: () => void, no: () => void): void {
    if (condition) yes();
    else no();
  }
}
