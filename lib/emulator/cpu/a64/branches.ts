/** Branches, and the instructions that raise exceptions (C4.1.93). */
import { signed } from '../bits.ts';
import type { Builder } from '../builder.ts';
import { EC, Exception, exceptionReturn, syndrome } from '../exceptions.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import * as arithmetic from './arithmetic.ts';

/** See `evaluator.ts`. */
const { source } = arithmetic;

const LINK = 30;

const readOffset =
  (width: number) =>
  (f: Fields, i: Instruction): undefined => {
    i.offset = signed(f('o'), width) * 4;
    i.condition = f('c');
    // The bit that TBZ and TBNZ test.
    i.imm = 1n << BigInt(f('h') * 32 + f('b'));
  };

const readCall = (f: Fields, i: Instruction): undefined => {
  i.amount = f('i');
};

const tested = <V, C>(b: Builder<V, C>, i: Instruction): C => b.isZero(b.and(b.x(i.d), b.constant(i.imm)));

const returnAddress = <V, C>(b: Builder<V, C>): V => b.add(b.pc(), b.constant(4n));

const BRANCHES: readonly Row[] = [
  {
    name: 'b',
    bits: '000101oooooooooooooooooooooooooo',
    read: readOffset(26),
    semantics: (b, i) => b.branchBy(i.offset),
  },
  {
    name: 'bl',
    bits: '100101oooooooooooooooooooooooooo',
    read: readOffset(26),
    semantics: (b, i) => {
      b.setX(LINK, returnAddress(b));
      b.branchBy(i.offset);
    },
  },
  {
    name: 'b.cond',
    bits: '01010100ooooooooooooooooooo0cccc',
    read: readOffset(19),
    semantics: (b, i) => b.branchIf(b.holds(i.condition), i.offset),
  },
  {
    name: 'cbz',
    bits: 's0110100ooooooooooooooooooottttt',
    read: readOffset(19),
    semantics: (b, i) => b.branchIf(b.isZero(source(b, i, i.d)), i.offset),
  },
  {
    name: 'cbnz',
    bits: 's0110101ooooooooooooooooooottttt',
    read: readOffset(19),
    semantics: (b, i) => b.branchIf(b.not1(b.isZero(source(b, i, i.d))), i.offset),
  },
  {
    name: 'tbz',
    bits: 'h0110110bbbbboooooooooooooottttt',
    read: readOffset(14),
    semantics: (b, i) => b.branchIf(tested(b, i), i.offset),
  },
  {
    name: 'tbnz',
    bits: 'h0110111bbbbboooooooooooooottttt',
    read: readOffset(14),
    semantics: (b, i) => b.branchIf(b.not1(tested(b, i)), i.offset),
  },
  {
    name: 'br',
    bits: '1101011000011111000000nnnnn00000',
    semantics: (b, i) => b.branchTo(b.x(i.n)),
  },
  {
    name: 'blr',
    bits: '1101011000111111000000nnnnn00000',
    semantics: (b, i) => {
      const target = b.x(i.n);
      b.setX(LINK, returnAddress(b));
      b.branchTo(target);
    },
  },
  {
    name: 'ret',
    bits: '1101011001011111000000nnnnn00000',
    semantics: (b, i) => b.branchTo(b.x(i.n)),
  },
];

const EXCEPTIONS: readonly Row[] = [
  {
    name: 'svc',
    bits: '11010100000iiiiiiiiiiiiiiii00001',
    read: readCall,
    helper: (cpu, i) => {
      cpu.advanceStep();
      throw new Exception(syndrome(EC.svc, i.amount), cpu.add(cpu.pc(), 4n));
    },
  },
  ...(['hvc', 'smc'] as const).map(
    (reason): Row => ({
      name: reason,
      bits: `11010100000iiiiiiiiiiiiiiii000${reason === 'hvc' ? '10' : '11'}`,
      read: readCall,
      helper: (cpu, i) => {
        if (cpu.state.el === 0) cpu.undefined();
        cpu.leave({ reason, immediate: i.amount });
      },
    }),
  ),
  {
    name: 'brk',
    bits: '11010100001iiiiiiiiiiiiiiii00000',
    read: readCall,
    helper: (cpu, i) => {
      cpu.debug?.breakHere(cpu, i.amount);
      throw new Exception(syndrome(EC.brk, i.amount), cpu.pc());
    },
  },
  // Halting debug is not there: HLT and DCPS are UNDEFINED, as is DRPS outside Debug state.
  { name: 'hlt', bits: '11010100010iiiiiiiiiiiiiiii00000', helper: cpu => cpu.undefined() },
  { name: 'dcps1', bits: '11010100101iiiiiiiiiiiiiiii00001', helper: cpu => cpu.undefined() },
  { name: 'dcps2', bits: '11010100101iiiiiiiiiiiiiiii00010', helper: cpu => cpu.undefined() },
  { name: 'dcps3', bits: '11010100101iiiiiiiiiiiiiiii00011', helper: cpu => cpu.undefined() },
  { name: 'drps', bits: '11010110101111110000001111100000', helper: cpu => cpu.undefined() },
  {
    name: 'eret',
    bits: '11010110100111110000001111100000',
    helper: cpu => {
      if (cpu.state.el === 0) cpu.undefined();
      exceptionReturn(cpu);
    },
  },
  // Permanently undefined, with a name of its own.
  { name: 'udf', bits: '0000000000000000iiiiiiiiiiiiiiii', helper: cpu => cpu.undefined() },
];

export const BRANCH: readonly Row[] = [...BRANCHES, ...EXCEPTIONS];
