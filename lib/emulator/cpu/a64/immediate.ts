/** Data processing with an immediate (C4.1.92). */
import { bitmaskImmediate, ones, signed64 } from '../bits.ts';
import type { Builder } from '../builder.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import * as arithmetic from './arithmetic.ts';

/** See `evaluator.ts`. */
const { addFlags, logicalFlags, rotateRight, setResult, source } = arithmetic;

function readAddress(f: Fields, i: Instruction): undefined {
  i.imm = signed64(f('i') * 4 + f('l'), 21);
}

function readArithmetic(f: Fields, i: Instruction): undefined {
  i.imm = BigInt(f('i')) << (f('h') ? 12n : 0n);
}

/** For a subtraction: the complement, in the width of the instruction. */
function readComplement(f: Fields, i: Instruction): undefined {
  readArithmetic(f, i);
  i.imm2 = BigInt.asUintN(64, ~i.imm);
}

function readLogical(f: Fields, i: Instruction): boolean {
  if (!i.sf && f('b')) return false;
  const imm = bitmaskImmediate(f('b'), f('i'), f('r'), i.sf ? 64 : 32);
  i.imm = imm ?? 0n;
  return imm !== undefined;
}

function readMoveWide(f: Fields, i: Instruction): boolean {
  const shift = f('h') * 16;
  if (!i.sf && shift >= 32) return false;
  i.imm = BigInt(f('i')) << BigInt(shift);
  i.imm2 = ones(i.sf ? 64 : 32) & ~(0xffffn << BigInt(shift));
  return true;
}

/** `amount` is immr; `kind` is imms. `imm` covers the bits that are moved, at their place in the result. */
function readBitfield(f: Fields, i: Instruction): boolean {
  const width = i.sf ? 64 : 32;
  const [r, s] = [f('r'), f('i')];
  if (f('b') !== f('s') || (!i.sf && (r >= 32 || s >= 32))) return false;
  i.amount = r;
  i.kind = s;
  i.imm = s >= r ? ones(s - r + 1) : ones(s + 1) << BigInt(width - r);
  return true;
}

/** The bits of the source that a bitfield instruction moves, where they go; what surrounds them is zero. */
function movedBits<V, C>(b: Builder<V, C>, i: Instruction): V {
  const { amount: r, kind: s } = i;
  const moved = s >= r ? b.shr(b.x(i.n), r) : b.shl(b.x(i.n), (i.sf ? 64 : 32) - r);
  return b.and(moved, b.constant(i.imm));
}

/** The same with the sign of the highest of them above. */
function movedSigned<V, C>(b: Builder<V, C>, i: Instruction): V {
  const { amount: r, kind: s } = i;
  const top = b.shl(b.x(i.n), 63 - s);
  if (s >= r) return b.sar(top, 63 - s + r);
  const place = (i.sf ? 64 : 32) - r;
  return b.shl(b.sar(top, 63 - s), place);
}

export const IMMEDIATE: readonly Row[] = [
  {
    name: 'adr',
    bits: '0ll10000iiiiiiiiiiiiiiiiiiiddddd',
    read: readAddress,
    semantics: (b, i) => b.setX(i.d, b.add(b.pc(), b.constant(i.imm))),
  },
  {
    name: 'adrp',
    bits: '1ll10000iiiiiiiiiiiiiiiiiiiddddd',
    read: (f, i) => {
      readAddress(f, i);
      i.imm = BigInt.asUintN(64, i.imm << 12n);
      return true;
    },
    semantics: (b, i) =>
      b.setX(i.d, b.add(b.and(b.pc(), b.constant(0xffff_ffff_ffff_f000n)), b.constant(i.imm))),
  },
  {
    name: 'add',
    bits: 's00100010hiiiiiiiiiiiiNNNNNDDDDD',
    read: readArithmetic,
    semantics: (b, i) => setResult(b, i, b.add(b.x(i.n), b.constant(i.imm))),
  },
  {
    name: 'adds',
    bits: 's01100010hiiiiiiiiiiiiNNNNNddddd',
    read: readArithmetic,
    semantics: (b, i) => addFlags(b, i, b.x(i.n), b.constant(i.imm), b.constant(0n)),
  },
  {
    name: 'sub',
    bits: 's10100010hiiiiiiiiiiiiNNNNNDDDDD',
    read: readArithmetic,
    semantics: (b, i) => setResult(b, i, b.sub(b.x(i.n), b.constant(i.imm))),
  },
  {
    name: 'subs',
    bits: 's11100010hiiiiiiiiiiiiNNNNNddddd',
    read: readComplement,
    semantics: (b, i) => addFlags(b, i, b.x(i.n), b.constant(i.imm2), b.constant(1n)),
  },
  {
    name: 'and',
    bits: 's00100100brrrrrriiiiiinnnnnDDDDD',
    read: readLogical,
    semantics: (b, i) => b.setX(i.d, b.and(b.x(i.n), b.constant(i.imm))),
  },
  {
    name: 'orr',
    bits: 's01100100brrrrrriiiiiinnnnnDDDDD',
    read: readLogical,
    semantics: (b, i) => setResult(b, i, b.or(b.x(i.n), b.constant(i.imm))),
  },
  {
    name: 'eor',
    bits: 's10100100brrrrrriiiiiinnnnnDDDDD',
    read: readLogical,
    semantics: (b, i) => setResult(b, i, b.xor(b.x(i.n), b.constant(i.imm))),
  },
  {
    name: 'ands',
    bits: 's11100100brrrrrriiiiiinnnnnddddd',
    read: readLogical,
    semantics: (b, i) => {
      const result = b.and(b.x(i.n), b.constant(i.imm));
      logicalFlags(b, i, result);
      b.setX(i.d, result);
    },
  },
  {
    name: 'movn',
    bits: 's00100101hhiiiiiiiiiiiiiiiiddddd',
    read: readMoveWide,
    semantics: (b, i) => setResult(b, i, b.not(b.constant(i.imm))),
  },
  {
    name: 'movz',
    bits: 's10100101hhiiiiiiiiiiiiiiiiddddd',
    read: readMoveWide,
    semantics: (b, i) => b.setX(i.d, b.constant(i.imm)),
  },
  {
    name: 'movk',
    bits: 's11100101hhiiiiiiiiiiiiiiiiddddd',
    read: readMoveWide,
    semantics: (b, i) => b.setX(i.d, b.or(b.and(b.x(i.d), b.constant(i.imm2)), b.constant(i.imm))),
  },
  {
    name: 'sbfm',
    bits: 's00100110brrrrrriiiiiinnnnnddddd',
    read: readBitfield,
    semantics: (b, i) => setResult(b, i, movedSigned(b, i)),
  },
  {
    name: 'bfm',
    bits: 's01100110brrrrrriiiiiinnnnnddddd',
    read: readBitfield,
    semantics: (b, i) => setResult(b, i, b.or(b.and(b.x(i.d), b.not(b.constant(i.imm))), movedBits(b, i))),
  },
  {
    name: 'ubfm',
    bits: 's10100110brrrrrriiiiiinnnnnddddd',
    read: readBitfield,
    semantics: (b, i) => b.setX(i.d, movedBits(b, i)),
  },
  {
    name: 'extr',
    bits: 's00100111b0mmmmmiiiiiinnnnnddddd',
    read: (f, i) => {
      i.amount = f('i');
      return f('b') === f('s') && (i.sf || i.amount < 32);
    },
    semantics: (b, i) => {
      const by = i.amount;
      if (by === 0) return setResult(b, i, b.x(i.m));
      if (i.n === i.m) return b.setX(i.d, rotateRight(b, source(b, i, i.m), by, i.sf ? 64 : 32));
      const high = b.shl(b.x(i.n), (i.sf ? 64 : 32) - by);
      setResult(b, i, b.or(b.shr(source(b, i, i.m), by), high));
    },
  },
];
