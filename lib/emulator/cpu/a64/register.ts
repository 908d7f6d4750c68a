/** Data processing with registers (C4.1.95). */
import type { Builder } from '../builder.ts';
import type { Instruction, Row, Semantics } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { SINK, ZERO } from '../state.ts';
import * as arithmetic from './arithmetic.ts';

/** See `evaluator.ts`. */
const { addFlags, logicalFlags, setResult, shifted, source } = arithmetic;

function readShift(f: Fields, i: Instruction): boolean {
  i.kind = f('h');
  i.amount = f('i');
  return i.sf || i.amount < 32;
}

/** Addition has no ROR. */
const readArithmeticShift = (f: Fields, i: Instruction): boolean => readShift(f, i) && i.kind !== 3;

function readExtend(f: Fields, i: Instruction): boolean {
  i.kind = f('o');
  i.amount = f('i');
  return i.amount <= 4;
}

function readCondition(f: Fields, i: Instruction): undefined {
  i.condition = f('c');
}

/** A comparison has flags for the other case, and nowhere for its result. */
function readComparison(f: Fields, i: Instruction): undefined {
  readCondition(f, i);
  i.d = SINK;
  i.amount = f('f');
  i.imm = BigInt(f('i'));
  i.imm2 = BigInt.asUintN(64, ~i.imm);
}

const LOGICAL: readonly Row[] = [
  {
    name: 'and',
    bits: 's0001010hh0mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => setResult(b, i, b.and(b.x(i.n), shifted(b, i, i.m))),
  },
  {
    name: 'bic',
    bits: 's0001010hh1mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => setResult(b, i, b.and(b.x(i.n), b.not(shifted(b, i, i.m)))),
  },
  {
    name: 'orr',
    bits: 's0101010hh0mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => setResult(b, i, b.or(b.x(i.n), shifted(b, i, i.m))),
  },
  {
    name: 'orn',
    bits: 's0101010hh1mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => setResult(b, i, b.or(b.x(i.n), b.not(shifted(b, i, i.m)))),
  },
  {
    name: 'eor',
    bits: 's1001010hh0mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => setResult(b, i, b.xor(b.x(i.n), shifted(b, i, i.m))),
  },
  {
    name: 'eon',
    bits: 's1001010hh1mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => setResult(b, i, b.xor(b.x(i.n), b.not(shifted(b, i, i.m)))),
  },
  {
    name: 'ands',
    bits: 's1101010hh0mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => {
      const result = b.and(b.x(i.n), shifted(b, i, i.m));
      setResult(b, i, result);
      logicalFlags(b, i, result);
    },
  },
  {
    name: 'bics',
    bits: 's1101010hh1mmmmmiiiiiinnnnnddddd',
    read: readShift,
    semantics: (b, i) => {
      const result = b.and(b.x(i.n), b.not(shifted(b, i, i.m)));
      setResult(b, i, result);
      logicalFlags(b, i, result);
    },
  },
];

const ADDITION: readonly Row[] = [
  {
    name: 'add',
    bits: 's0001011hh0mmmmmiiiiiinnnnnddddd',
    read: readArithmeticShift,
    semantics: (b, i) => setResult(b, i, b.add(b.x(i.n), shifted(b, i, i.m))),
  },
  {
    name: 'adds',
    bits: 's0101011hh0mmmmmiiiiiinnnnnddddd',
    read: readArithmeticShift,
    semantics: (b, i) => addFlags(b, i, b.x(i.n), shifted(b, i, i.m), b.constant(0n)),
  },
  {
    name: 'sub',
    bits: 's1001011hh0mmmmmiiiiiinnnnnddddd',
    read: readArithmeticShift,
    semantics: (b, i) => setResult(b, i, b.sub(b.x(i.n), shifted(b, i, i.m))),
  },
  {
    name: 'subs',
    bits: 's1101011hh0mmmmmiiiiiinnnnnddddd',
    read: readArithmeticShift,
    semantics: (b, i) => addFlags(b, i, b.x(i.n), b.not(shifted(b, i, i.m)), b.constant(1n)),
  },
  {
    name: 'add',
    bits: 's0001011001mmmmmoooiiiNNNNNDDDDD',
    read: readExtend,
    semantics: (b, i) => setResult(b, i, b.add(b.x(i.n), b.extend(b.x(i.m), i.kind, i.amount))),
  },
  {
    name: 'adds',
    bits: 's0101011001mmmmmoooiiiNNNNNddddd',
    read: readExtend,
    semantics: (b, i) => addFlags(b, i, b.x(i.n), b.extend(b.x(i.m), i.kind, i.amount), b.constant(0n)),
  },
  {
    name: 'sub',
    bits: 's1001011001mmmmmoooiiiNNNNNDDDDD',
    read: readExtend,
    semantics: (b, i) => setResult(b, i, b.sub(b.x(i.n), b.extend(b.x(i.m), i.kind, i.amount))),
  },
  {
    name: 'subs',
    bits: 's1101011001mmmmmoooiiiNNNNNddddd',
    read: readExtend,
    semantics: (b, i) =>
      addFlags(b, i, b.x(i.n), b.not(b.extend(b.x(i.m), i.kind, i.amount)), b.constant(1n)),
  },
  {
    name: 'adc',
    bits: 's0011010000mmmmm000000nnnnnddddd',
    semantics: (b, i) => setResult(b, i, b.add(b.add(b.x(i.n), b.x(i.m)), b.carry())),
  },
  {
    name: 'adcs',
    bits: 's0111010000mmmmm000000nnnnnddddd',
    semantics: (b, i) => addFlags(b, i, b.x(i.n), b.x(i.m), b.carry()),
  },
  {
    name: 'sbc',
    bits: 's1011010000mmmmm000000nnnnnddddd',
    semantics: (b, i) => setResult(b, i, b.add(b.add(b.x(i.n), b.not(b.x(i.m))), b.carry())),
  },
  {
    name: 'sbcs',
    bits: 's1111010000mmmmm000000nnnnnddddd',
    semantics: (b, i) => addFlags(b, i, b.x(i.n), b.not(b.x(i.m)), b.carry()),
  },
];

/** CCMN and CCMP: the flags of a comparison if the condition holds, or those of the instruction. */
function compareIf<V, C>(b: Builder<V, C>, i: Instruction, operand: V, carry: bigint): void {
  b.when(
    b.holds(i.condition),
    () => addFlags(b, i, b.x(i.n), operand, b.constant(carry)),
    () => b.setNzcv(i.amount),
  );
}

const CONDITIONAL: readonly Row[] = [
  {
    name: 'ccmn',
    bits: 's0111010010mmmmmcccc00nnnnn0ffff',
    read: readComparison,
    semantics: (b, i) => compareIf(b, i, b.x(i.m), 0n),
  },
  {
    name: 'ccmp',
    bits: 's1111010010mmmmmcccc00nnnnn0ffff',
    read: readComparison,
    semantics: (b, i) => compareIf(b, i, b.not(b.x(i.m)), 1n),
  },
  {
    name: 'ccmn',
    bits: 's0111010010iiiiicccc10nnnnn0ffff',
    read: readComparison,
    semantics: (b, i) => compareIf(b, i, b.constant(i.imm), 0n),
  },
  {
    name: 'ccmp',
    bits: 's1111010010iiiiicccc10nnnnn0ffff',
    read: readComparison,
    semantics: (b, i) => compareIf(b, i, b.constant(i.imm2), 1n),
  },
  {
    name: 'csel',
    bits: 's0011010100mmmmmcccc00nnnnnddddd',
    read: readCondition,
    semantics: (b, i) => setResult(b, i, b.select(b.holds(i.condition), b.x(i.n), b.x(i.m))),
  },
  {
    name: 'csinc',
    bits: 's0011010100mmmmmcccc01nnnnnddddd',
    read: readCondition,
    semantics: (b, i) =>
      setResult(b, i, b.select(b.holds(i.condition), b.x(i.n), b.add(b.x(i.m), b.constant(1n)))),
  },
  {
    name: 'csinv',
    bits: 's1011010100mmmmmcccc00nnnnnddddd',
    read: readCondition,
    semantics: (b, i) => setResult(b, i, b.select(b.holds(i.condition), b.x(i.n), b.not(b.x(i.m)))),
  },
  {
    name: 'csneg',
    bits: 's1011010100mmmmmcccc01nnnnnddddd',
    read: readCondition,
    semantics: (b, i) =>
      setResult(b, i, b.select(b.holds(i.condition), b.x(i.n), b.sub(b.constant(0n), b.x(i.m)))),
  },
];

const amountOf = <V, C>(b: Builder<V, C>, i: Instruction): V => b.and(b.x(i.m), b.constant(i.sf ? 63n : 31n));

/** Swaps neighbouring groups of bits, as `mask` has the lower of each two. */
const swap = <V, C>(b: Builder<V, C>, value: V, mask: bigint, by: number): V =>
  b.or(b.shl(b.and(value, b.constant(mask)), by), b.and(b.shr(value, by), b.constant(mask)));

const swapBits = <V, C>(b: Builder<V, C>, value: V): V =>
  swap(
    b,
    swap(b, swap(b, value, 0x5555_5555_5555_5555n, 1), 0x3333_3333_3333_3333n, 2),
    0x0f0f_0f0f_0f0f_0f0fn,
    4,
  );
const swapBytes = <V, C>(b: Builder<V, C>, value: V): V => swap(b, value, 0x00ff_00ff_00ff_00ffn, 8);
const swapHalves = <V, C>(b: Builder<V, C>, value: V): V => swap(b, value, 0x0000_ffff_0000_ffffn, 16);
const swapWords = <V, C>(b: Builder<V, C>, value: V): V => b.or(b.shl(value, 32), b.shr(value, 32));

const reverse64 = <V, C>(b: Builder<V, C>, value: V): V => swapWords(b, swapHalves(b, swapBytes(b, value)));
const reverse32 = <V, C>(b: Builder<V, C>, value: V): V => swapHalves(b, swapBytes(b, value));

/** Leading zeroes in the width of the instruction: bits below keep 32-bit values from running out. */
const leadingZeroes = <V, C>(b: Builder<V, C>, i: Instruction, value: V): V =>
  b.clz(i.sf ? value : b.or(b.shl(value, 32), b.constant(0x8000_0000n)));

const leadingSigns: Semantics = (b, i) => {
  const value = i.sf ? b.x(i.n) : b.shl(b.x(i.n), 32);
  const changes = b.xor(value, b.shl(value, 1));
  // The lowest bit has no neighbour, so a value of equal bits ends there.
  b.setX(i.d, b.clz(b.or(changes, b.constant(i.sf ? 1n : 1n << 32n))));
};

const BITS: readonly Row[] = [
  {
    name: 'udiv',
    bits: 's0011010110mmmmm000010nnnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.udiv(source(b, i, i.n), source(b, i, i.m))),
  },
  {
    name: 'sdiv',
    bits: 's0011010110mmmmm000011nnnnnddddd',
    semantics: (b, i) => {
      const left = i.sf ? b.x(i.n) : b.sign32(b.x(i.n));
      setResult(b, i, b.sdiv(left, i.sf ? b.x(i.m) : b.sign32(b.x(i.m))));
    },
  },
  {
    name: 'lslv',
    bits: 's0011010110mmmmm001000nnnnnddddd',
    semantics: (b, i) => setResult(b, i, b.shlBy(b.x(i.n), amountOf(b, i))),
  },
  {
    name: 'lsrv',
    bits: 's0011010110mmmmm001001nnnnnddddd',
    semantics: (b, i) => setResult(b, i, b.shrBy(source(b, i, i.n), amountOf(b, i))),
  },
  {
    name: 'asrv',
    bits: 's0011010110mmmmm001010nnnnnddddd',
    semantics: (b, i) => setResult(b, i, b.sarBy(i.sf ? b.x(i.n) : b.sign32(b.x(i.n)), amountOf(b, i))),
  },
  {
    name: 'rorv',
    bits: 's0011010110mmmmm001011nnnnnddddd',
    semantics: (b, i) => {
      const by = amountOf(b, i);
      const value = i.sf ? b.x(i.n) : b.or(b.low32(b.x(i.n)), b.shl(b.x(i.n), 32));
      const left = b.and(b.sub(b.constant(0n), by), b.constant(63n));
      setResult(b, i, b.or(b.shrBy(value, by), b.shlBy(value, left)));
    },
  },
  {
    name: 'rbit',
    bits: 's101101011000000000000nnnnnddddd',
    semantics: (b, i) => {
      const bits = swapBits(b, b.x(i.n));
      b.setX(i.d, i.sf ? reverse64(b, bits) : reverse32(b, b.low32(bits)));
    },
  },
  {
    name: 'rev16',
    bits: 's101101011000000000001nnnnnddddd',
    semantics: (b, i) => setResult(b, i, swapBytes(b, b.x(i.n))),
  },
  {
    name: 'rev',
    bits: '0101101011000000000010nnnnnddddd',
    semantics: (b, i) => b.setX(i.d, reverse32(b, b.low32(b.x(i.n)))),
  },
  {
    name: 'rev32',
    bits: '1101101011000000000010nnnnnddddd',
    semantics: (b, i) => b.setX(i.d, reverse32(b, b.x(i.n))),
  },
  {
    name: 'rev',
    bits: '1101101011000000000011nnnnnddddd',
    semantics: (b, i) => b.setX(i.d, reverse64(b, b.x(i.n))),
  },
  {
    name: 'clz',
    bits: 's101101011000000000100nnnnnddddd',
    semantics: (b, i) => b.setX(i.d, leadingZeroes(b, i, b.x(i.n))),
  },
  { name: 'cls', bits: 's101101011000000000101nnnnnddddd', semantics: leadingSigns },
];

const MULTIPLY: readonly Row[] = [
  {
    name: 'madd',
    bits: 's0011011000mmmmm0aaaaannnnnddddd',
    semantics: (b, i) =>
      setResult(b, i, i.a === ZERO ? b.mul(b.x(i.n), b.x(i.m)) : b.add(b.x(i.a), b.mul(b.x(i.n), b.x(i.m)))),
  },
  {
    name: 'msub',
    bits: 's0011011000mmmmm1aaaaannnnnddddd',
    semantics: (b, i) => setResult(b, i, b.sub(b.x(i.a), b.mul(b.x(i.n), b.x(i.m)))),
  },
  {
    name: 'smaddl',
    bits: '10011011001mmmmm0aaaaannnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.add(b.x(i.a), b.mul(b.sign32(b.x(i.n)), b.sign32(b.x(i.m))))),
  },
  {
    name: 'smsubl',
    bits: '10011011001mmmmm1aaaaannnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.sub(b.x(i.a), b.mul(b.sign32(b.x(i.n)), b.sign32(b.x(i.m))))),
  },
  {
    name: 'umaddl',
    bits: '10011011101mmmmm0aaaaannnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.add(b.x(i.a), b.mul(b.low32(b.x(i.n)), b.low32(b.x(i.m))))),
  },
  {
    name: 'umsubl',
    bits: '10011011101mmmmm1aaaaannnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.sub(b.x(i.a), b.mul(b.low32(b.x(i.n)), b.low32(b.x(i.m))))),
  },
  {
    name: 'smulh',
    bits: '10011011010mmmmm0jjjjjnnnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.smulh(b.x(i.n), b.x(i.m))),
  },
  {
    name: 'umulh',
    bits: '10011011110mmmmm0jjjjjnnnnnddddd',
    semantics: (b, i) => b.setX(i.d, b.umulh(b.x(i.n), b.x(i.m))),
  },
];

export const REGISTER: readonly Row[] = [...LOGICAL, ...ADDITION, ...CONDITIONAL, ...BITS, ...MULTIPLY];
