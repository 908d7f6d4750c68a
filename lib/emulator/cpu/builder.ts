/**
 * What an instruction's semantics are written against. The interpreter runs each operation at once, with bigints for
 * `V` and booleans for `C`; a compiler would emit code instead, with expressions for both.
 */
export interface Builder<V, C> {
  /** A register by its slot (`state.ts`): unsigned, 64 bits. */
  x(slot: number): V;
  setX(slot: number, value: V): void;
  /** A place of `scratch.ts`, for a value that branches come to in different ways. */
  keep(place: number, value: V): void;
  kept(place: number): V;
  constant(value: bigint): V;
  /** The address of this instruction. */
  pc(): V;

  /** Arithmetic modulo 2^64. */
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  mul(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  not(a: V): V;
  /** Shifts by a constant from 0 to 63. */
  shl(a: V, by: number): V;
  shr(a: V, by: number): V;
  sar(a: V, by: number): V;
  /** Shifts by a value from 0 to 63. */
  shlBy(a: V, by: V): V;
  shrBy(a: V, by: V): V;
  sarBy(a: V, by: V): V;
  low8(a: V): V;
  low16(a: V): V;
  low32(a: V): V;
  /** The low bits of a value. */
  low(a: V, width: 32 | 64): V;
  /** The low bits of a value, moved to the top of 64. */
  atTop(a: V, width: 32 | 64): V;
  /** ExtendReg (shared/functions/registers): UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX, then a shift. */
  extend(a: V, kind: number, by: number): V;
  sign8(a: V): V;
  sign16(a: V): V;
  sign32(a: V): V;
  /** The upper half of the product. */
  umulh(a: V, b: V): V;
  smulh(a: V, b: V): V;
  /** Division that rounds towards zero, and gives zero for a divisor of zero. */
  udiv(a: V, b: V): V;
  sdiv(a: V, b: V): V;
  /** Zero bits above the highest one; 64 for zero. */
  clz(a: V): V;

  /**
   * AddWithCarry of 64 bits (shared/functions/integer) with its flags; `carry` is 0 or 1. A 32-bit operation is done in
   * the upper halves, so it has no rules of its own.
   */
  addFlags(a: V, b: V, carry: V): V;
  /** N and Z of a result, without C and V. */
  logicalFlags(result: V): void;
  /** N, Z, C and V as the four bits of a constant. */
  setNzcv(nzcv: number): void;
  /** C as 0 or 1. */
  carry(): V;
  /** A condition of the four bits that B.cond has. */
  holds(condition: number): C;
  isZero(a: V): C;
  not1(a: C): C;
  select(condition: C, yes: V, no: V): V;
  when(condition: C, yes: () => void, no: () => void): void;

  /** To an address relative to this instruction. */
  branchBy(offset: number): void;
  branchIf(condition: C, offset: number): void;
  branchTo(target: V): void;

  /** The base of an address: a register, or SP, which must be aligned if the guest asks for that. */
  base(slot: number): V;
  /** Where the next load or store goes. */
  at(address: V): void;
  /** Moves on by so many bytes. */
  next(bytes: number): void;
  load8(): V;
  load16(): V;
  load32(): V;
  load64(): V;
  store8(value: V): void;
  store16(value: V): void;
  store32(value: V): void;
  store64(value: V): void;
}
