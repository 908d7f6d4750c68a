/** The arithmetic of the interpreter: the builder's operations, each done at once. */
import * as slots from './state.ts';

/** Of its own: V8 folds a constant of the module, and looks up one that it imports each time. */
const { C, N, SCRATCH, V, Z } = slots;

/**
 * Shifts by an amount that is no constant of the source are a product or a quotient: V8 has 64-bit machine operations
 * for these, where a shift of a bigint would call its runtime and be ten times slower.
 */
const POWERS = BigUint64Array.from({ length: 64 }, (_, by) => 1n << BigInt(by));

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
    return BigInt.asUintN(64, BigInt.asUintN(64, a) / BigInt.asUintN(64, POWERS[by]!));
  }

  sar(a: bigint, by: number): bigint {
    const sign = BigInt.asUintN(64, BigInt.asIntN(64, a) >> 63n);
    return BigInt.asUintN(64, this.shr(BigInt.asUintN(64, a ^ sign), by) ^ sign);
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
    this.registers[SCRATCH] = by;
    return this.halves[2 * SCRATCH]!;
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
    this.registers[SCRATCH] = a;
    const high = this.halves[2 * SCRATCH + 1]!;
    return BigInt(high !== 0 ? Math.clz32(high) : 32 + Math.clz32(this.halves[2 * SCRATCH]!));
  }

  setFlags(result: bigint, carry: bigint, overflow: bigint): void {
    const x = this.registers;
    x[N] = result;
    x[Z] = result;
    x[C] = carry;
    x[V] = overflow;
  }

  setNzcv(nzcv: number): void {
    this.state.nzcv = nzcv;
  }

  carry(): bigint {
    return this.registers[C]! >> 63n;
  }

  holds(condition: number): boolean {
    const halves = this.halves;
    let result: boolean;
    switch (condition >> 1) {
      case 0:
        result = (halves[2 * Z]! | halves[2 * Z + 1]!) === 0;
        break;
      case 1:
        result = halves[2 * C + 1]! < 0;
        break;
      case 2:
        result = halves[2 * N + 1]! < 0;
        break;
      case 3:
        result = halves[2 * V + 1]! < 0;
        break;
      case 4:
        result = halves[2 * C + 1]! < 0 && (halves[2 * Z]! | halves[2 * Z + 1]!) !== 0;
        break;
      case 5:
        result = (halves[2 * N + 1]! ^ halves[2 * V + 1]!) >= 0;
        break;
      case 6:
        result =
          (halves[2 * N + 1]! ^ halves[2 * V + 1]!) >= 0 && (halves[2 * Z]! | halves[2 * Z + 1]!) !== 0;
        break;
      default:
        return true;
    }
    return (condition & 1) === 1 ? !result : result;
  }

  isZero(a: bigint): boolean {
    return a === 0n;
  }

  not1(a: boolean): boolean {
    return !a;
  }

  select(condition: boolean, yes: bigint, no: bigint): bigint {
    return condition ? yes : no;
  }

  when(condition: boolean, yes: () => void, no: () => void): void {
    if (condition) yes();
    else no();
  }
}
