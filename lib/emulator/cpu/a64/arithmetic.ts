/** What the rows of data processing share. */
import type { Builder } from '../builder.ts';
import type { Instruction } from '../instruction.ts';
import * as slots from '../state.ts';

const { OPERAND } = slots;

/** The result, in the width of the instruction, to its destination. */
export function setResult<V, C>(b: Builder<V, C>, i: Instruction, value: V): void {
  b.setX(i.d, b.low(value, i.width));
}

/** A source in the width of the instruction. */
export function source<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  return b.low(b.x(slot), i.width);
}

/** AddWithCarry with flags; the result is that of 64 or 32 bits. */
export function addFlags<V, C>(b: Builder<V, C>, i: Instruction, left: V, right: V, carry: V): V {
  const { width } = i;
  b.addFlags(b.atTop(left, width), b.atTop(right, width), b.atTop(carry, width));
  return b.low(b.add(b.add(left, right), carry), width);
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
  if (i.kind === 0) b.setX(OPERAND, b.shl(b.x(slot), i.amount));
  else b.setX(OPERAND, shiftedRight(b, i, slot));
  return b.x(OPERAND);
}

function shiftedRight<V, C>(b: Builder<V, C>, i: Instruction, slot: number): V {
  const { kind, amount: by, sf } = i;
  if (kind === 1) return b.shr(source(b, i, slot), by);
  if (kind === 2) return b.sar(sf ? b.x(slot) : b.sign32(b.x(slot)), by);
  return rotateRight(b, source(b, i, slot), by, sf ? 64 : 32);
}
