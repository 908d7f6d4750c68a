/** Vector operations on one register of integers, lane by lane or across the lanes (C4.1.96). */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import type { Instruction, Row } from '../instruction.ts';
import {
  ALL_SCALAR,
  ALL_SCALAR_D,
  absolute,
  bitsOf,
  type LaneOperation,
  laneByLane,
  mask,
  readScalarForm,
  readVectorForm,
  type Sizes,
  SMALL,
  s,
  saturator,
} from './simd-integer.ts';
import { fromLanes, lanesOf, readVector, writeVector } from './vectors.ts';

/** Operations on one lane. */
const reversed =
  (group: number): LaneOperation =>
  (a, _, width) =>
    fromLanes(lanesOf(a, group, width).reverse(), group);

const count = (value: bigint): bigint => BigInt(value.toString(2).replaceAll('0', '').length);
const leadingZeroes = (value: bigint, width: number): bigint =>
  BigInt(value === 0n ? width : width - value.toString(2).length);

const MISC: readonly (readonly [string, '0' | '1', string, Sizes, LaneOperation])[] = [
  ['00100', '0', 'cls', SMALL, (a, _, width) => leadingZeroes((a ^ (a >> 1n)) & ones(width - 1), width) - 1n],
  ['00100', '1', 'clz', SMALL, (a, _, width) => leadingZeroes(a, width)],
  ['00101', '0', 'cnt', { vector: [0] }, a => count(a)],
  [
    '00011',
    '0',
    'suqadd',
    ALL_SCALAR,
    (a, _, width, old, saturate) => saturate(s(old, width) + a, width, true),
  ],
  [
    '00011',
    '1',
    'usqadd',
    ALL_SCALAR,
    (a, _, width, old, saturate) => saturate(old + s(a, width), width, false),
  ],
  [
    '00111',
    '0',
    'sqabs',
    ALL_SCALAR,
    (a, _, width, __, saturate) => saturate(absolute(s(a, width)), width, true),
  ],
  ['00111', '1', 'sqneg', ALL_SCALAR, (a, _, width, __, saturate) => saturate(-s(a, width), width, true)],
  ['01000', '0', 'cmgt', ALL_SCALAR_D, (a, _, width) => mask(s(a, width) > 0n, width)],
  ['01000', '1', 'cmge', ALL_SCALAR_D, (a, _, width) => mask(s(a, width) >= 0n, width)],
  ['01001', '0', 'cmeq', ALL_SCALAR_D, (a, _, width) => mask(a === 0n, width)],
  ['01001', '1', 'cmle', ALL_SCALAR_D, (a, _, width) => mask(s(a, width) <= 0n, width)],
  ['01010', '0', 'cmlt', ALL_SCALAR_D, (a, _, width) => mask(s(a, width) < 0n, width)],
  ['01011', '0', 'abs', ALL_SCALAR_D, (a, _, width) => absolute(s(a, width))],
  ['01011', '1', 'neg', ALL_SCALAR_D, a => -a],
];

/** REV16, REV32 and REV64 reverse lanes of a size within a container: U, opcode, log2 of the container's bytes. */
const REVERSALS = [
  ['rev64', '0', '00000', 3],
  ['rev32', '1', '00000', 2],
  ['rev16', '0', '00001', 1],
] as const;

/** Sums of neighbouring lanes, twice as wide; ADALP adds them to the destination. */
const LONG_PAIRS = [
  ['saddlp', '0', '00010', true, false],
  ['uaddlp', '1', '00010', false, false],
  ['sadalp', '0', '00110', true, true],
  ['uadalp', '1', '00110', false, true],
] as const;

const twoRegisters = (u: string, opcode: string): string => `0q${u}01110hh10000${opcode}10yyyyyxxxxx`;

const TWO_REGISTERS: readonly Row[] = [
  ...MISC.flatMap(([opcode, u, name, { vector, scalar }, operation]): Row[] => [
    {
      name,
      bits: twoRegisters(u, opcode),
      read: readVectorForm(vector),
      helper: (cpu, i) => laneByLane(cpu, i, operation, bitsOf(i)),
    },
    ...(scalar === undefined
      ? []
      : [
          {
            name,
            bits: `01${u}11110hh10000${opcode}10yyyyyxxxxx`,
            read: readScalarForm(scalar),
            helper: (cpu: Cpu, i: Instruction) => laneByLane(cpu, i, operation, 8 << i.kind),
          },
        ]),
  ]),
  ...REVERSALS.map(
    ([name, u, opcode, container]): Row => ({
      name,
      bits: twoRegisters(u, opcode),
      read: readVectorForm([0, 1, 2].filter(size => size < container)),
      helper: (cpu, i) => {
        cpu.checkFp();
        const lanes = lanesOf(readVector(cpu, i.n, bitsOf(i)), 8 << container, bitsOf(i));
        const reverse = reversed(8 << i.kind);
        const width = 8 << container;
        writeVector(
          cpu,
          i.d,
          fromLanes(
            lanes.map(lane => reverse(lane, 0n, width, 0n, saturator(cpu))),
            width,
          ),
        );
      },
    }),
  ),
  ...LONG_PAIRS.map(
    ([name, u, opcode, signed, adds]): Row => ({
      name,
      bits: twoRegisters(u, opcode),
      read: readVectorForm([0, 1, 2]),
      helper: (cpu, i) => {
        cpu.checkFp();
        const [width, bits] = [8 << i.kind, bitsOf(i)];
        const lanes = lanesOf(readVector(cpu, i.n, bits), width, bits).map(lane =>
          signed ? s(lane, width) : lane,
        );
        const old = lanesOf(readVector(cpu, i.d, bits), 2 * width, bits);
        const sums = old.map((lane, n) => lanes[2 * n]! + lanes[2 * n + 1]! + (adds ? lane : 0n));
        writeVector(cpu, i.d, fromLanes(sums, 2 * width));
      },
    }),
  ),
  ...(
    [
      ['not', '00', (a: bigint) => ~a],
      ['rbit', '01', (a: bigint) => fromLanes(lanesOf(a, 1, 8).reverse(), 1)],
    ] as const
  ).map(
    ([name, size, operation]): Row => ({
      name,
      bits: `0q101110${size}100000010110yyyyyxxxxx`,
      read: (f, i) => {
        i.sf = f('q') === 1;
        return true;
      },
      helper: (cpu, i) => laneByLane(cpu, i, operation, bitsOf(i)),
    }),
  ),
];

/** Over all lanes: the sum, twice as wide or not, and the extremes. */
const ACROSS: readonly (readonly [
  string,
  string,
  string,
  number,
  (a: bigint, b: bigint) => bigint,
  boolean,
])[] = [
  ['saddlv', '0', '00011', 2, (a, b) => a + b, true],
  ['uaddlv', '1', '00011', 2, (a, b) => a + b, false],
  ['smaxv', '0', '01010', 1, (a, b) => (a > b ? a : b), true],
  ['umaxv', '1', '01010', 1, (a, b) => (a > b ? a : b), false],
  ['sminv', '0', '11010', 1, (a, b) => (a < b ? a : b), true],
  ['uminv', '1', '11010', 1, (a, b) => (a < b ? a : b), false],
  ['addv', '0', '11011', 1, (a, b) => a + b, false],
];

const ACROSS_ROWS: readonly Row[] = ACROSS.map(
  ([name, u, opcode, widening, operation, signed]): Row => ({
    name,
    bits: `0q${u}01110hh11000${opcode}10yyyyyxxxxx`,
    read: (f, i) => readVectorForm([0, 1, 2])(f, i) && (i.kind < 2 || i.sf),
    helper: (cpu, i) => {
      cpu.checkFp();
      const [width, bits] = [8 << i.kind, bitsOf(i)];
      const lanes = lanesOf(readVector(cpu, i.n, bits), width, bits);
      const result = lanes.map(lane => (signed ? s(lane, width) : lane)).reduce(operation);
      writeVector(cpu, i.d, BigInt.asUintN(widening * width, result));
    },
  }),
);

export const SIMD_MISC: readonly Row[] = [...TWO_REGISTERS, ...ACROSS_ROWS];
