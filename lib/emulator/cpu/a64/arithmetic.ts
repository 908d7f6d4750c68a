/** What the rows of data processing share. */
import type { Builder } from '../builder.ts';
import type { Instruction } from '../instruction.ts';
import * as places from '../scratch.ts';

const { OPERAND } = places;

/** The result, in the width of the instruction, to its destination. */
export function setResult<V, C>(b: Builder<V, C>, i: Instruction, value: V): void {
  b.setX(i.d, b.low(value, i.width));
}

/** A source in the width of the instruction. */
export function source<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  return b.low(b.x(slot), i.width);
}

/**
 * AddWithCarry with flags, in the width of the instruction; the result goes to its destination. A 32-bit sum in the
 * upper halves has its flags where a 64-bit one has them.
 */
export function addFlags<V, C>(b: Builder<V, C>, i: Instruction, left: V, right: V, carry: V): void {
  const { width } = i;
  b.addFlags(b.atTop(left, width), b.atTop(right, width), b.atTop(carry, width));
  setResult(b, i, b.add(b.add(left, right), carry));
}

export function logicalFlags<V, C>(b: Builder<V, C>, i: Instruction, result: V): void {
  b.logicalFlags(b.atTop(result, i.width));
}

/** Rotates right by a constant, within 64 or 32 bits. */
export function rotateRight<V, C>(b: Builder<V, C>, value: V, by: number, width: 32 | 64): V {
  if (by === 0) return value;
  const rotated = b.or(b.shr(value, by), b.shl(value, width - by));
  return width === 64 ? rotated : b.low32(rotated);
}

/** ShiftReg by a constant: LSL (which is what there mostly is), LSR, ASR, ROR. */
export function shifted<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  if (i.kind === 0) b.keep(OPERAND, b.shl(b.x(slot), i.amount));
  else shiftRight(b, i, slot);
  return b.kept(OPERAND);
}

function shiftRight<V, C>(b: Builder<V, C>, i: Instruction, slot: number): void {
  const { kind, amount: by, sf } = i;
  if (kind === 1) b.keep(OPERAND, b.shr(source(b, i, slot), by));
  else if (kind === 2) b.keep(OPERAND, b.sar(sf ? b.x(slot) : b.sign32(b.x(slot)), by));
  else b.keep(OPERAND, rotateRight(b, source(b, i, slot), by, sf ? 64 : 32));
}
