/** What the rows of data processing share. */
import type { Builder } from '../builder.ts';
import type { Instruction } from '../instruction.ts';

/** The result, in the width of the instruction, to its destination. */
export function setResult<V, C>(b: Builder<V, C>, i: Instruction, value: V): void {
  b.setX(i.d, i.sf ? value : b.low32(value));
}

/** A source in the width of the instruction. */
export function source<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  return i.sf ? b.x(slot) : b.low32(b.x(slot));
}

/** AddWithCarry with flags (shared/functions/integer); the result is that of 64 or 32 bits. */
export function addFlags<V, C>(b: Builder<V, C>, i: Instruction, left: V, right: V, carry: V): V {
  // A 32-bit sum in the upper halves has its flags where a 64-bit one has them.
  const x = i.sf ? left : b.shl(left, 32);
  const y = i.sf ? right : b.shl(right, 32);
  const sum = b.add(b.add(x, y), i.sf ? carry : b.shl(carry, 32));
  const carryOut = b.or(b.and(x, y), b.and(b.or(x, y), b.not(sum)));
  b.setFlags(sum, carryOut, b.and(b.xor(x, sum), b.xor(y, sum)));
  return i.sf ? sum : b.shr(sum, 32);
}

export function logicalFlags<V, C>(b: Builder<V, C>, i: Instruction, result: V): void {
  const none = b.constant(0n);
  b.setFlags(i.sf ? result : b.shl(result, 32), none, none);
}

/** Rotates right by a constant, within 64 or 32 bits. */
export function rotateRight<V, C>(b: Builder<V, C>, value: V, by: number, width: 32 | 64): V {
  if (by === 0) return value;
  const rotated = b.or(b.shr(value, by), b.shl(value, width - by));
  return width === 64 ? rotated : b.low32(rotated);
}

/** ShiftReg by a constant: LSL (which is what there mostly is), LSR, ASR, ROR. */
export function shifted<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  return i.kind === 0 ? b.shl(b.x(slot), i.amount) : shiftedRight(b, i, slot);
}

function shiftedRight<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  const { kind, amount: by, sf } = i;
  if (kind === 1) return b.shr(source(b, i, slot), by);
  if (kind === 2) return b.sar(sf ? b.x(slot) : b.sign32(b.x(slot)), by);
  return rotateRight(b, source(b, i, slot), by, sf ? 64 : 32);
}

/** ExtendReg: UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX, then a shift. */
export function extended<V, C>(b: Builder<V, C>, slot: number, kind: number, by: number): V {
  const value = extend(b, b.x(slot), kind);
  return by === 0 ? value : b.shl(value, by);
}

function extend<V, C>(b: Builder<V, C>, value: V, kind: number): V {
  switch (kind) {
    case 0:
      return b.low8(value);
    case 1:
      return b.low16(value);
    case 2:
      return b.low32(value);
    case 4:
      return b.sign8(value);
    case 5:
      return b.sign16(value);
    case 6:
      return b.sign32(value);
    default:
      return value;
  }
}
