/** Vector arithmetic on integers (C4.1.96), lane by lane. */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { fromLanes, lanesOf, readVector, writeVector } from './vectors.ts';

/** Two unsigned lanes of a width, and the destination's own; FPSR.QC is set by `saturate`. */
export type LaneOperation = (a: bigint, b: bigint, width: number, old: bigint, saturate: Saturate) => bigint;
/** The nearest value of a width, signed or not. */
export type Saturate = (value: bigint, width: number, signed: boolean) => bigint;

const FPSR_QC = 1n << 27n;

export const saturator =
  (cpu: Cpu): Saturate =>
  (value, width, signed) => {
    const most = signed ? ones(width - 1) : ones(width);
    const least = signed ? -most - 1n : 0n;
    const nearest = value > most ? most : value < least ? least : value;
    if (nearest !== value) cpu.state.fpsr |= FPSR_QC;
    return BigInt.asUintN(width, nearest);
  };

export const s = (value: bigint, width: number): bigint => BigInt.asIntN(width, value);
export const mask = (condition: boolean, width: number): bigint => (condition ? ones(width) : 0n);
export const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** An operation in its signed and its unsigned form. */
const bothSigns = (
  operation: (a: bigint, b: bigint, width: number, signed: boolean, saturate: Saturate) => bigint,
): readonly [LaneOperation, LaneOperation] => [
  (a, b, width, _, saturate) => operation(s(a, width), s(b, width), width, true, saturate),
  (a, b, width, _, saturate) => operation(a, b, width, false, saturate),
];

/** Shifts by a signed byte: left, or right with or without rounding; saturating to the left or not. */
function shiftBy(
  value: bigint,
  by: bigint,
  width: number,
  signed: boolean,
  { rounding = false, saturate = undefined as Saturate | undefined },
): bigint {
  const amount = BigInt.asIntN(8, by);
  if (amount >= 0n) {
    const shifted = value << amount;
    return saturate === undefined ? shifted : saturate(shifted, width, signed);
  }
  const round = rounding ? 1n << (-amount - 1n) : 0n;
  return (value + round) >> -amount;
}

const carrylessProduct = (a: bigint, b: bigint, width: number): bigint => {
  let result = 0n;
  for (let n = 0; n < width; n++) if ((b >> BigInt(n)) & 1n) result ^= a << BigInt(n);
  return result;
};

const doubledHigh =
  (rounding: boolean): LaneOperation =>
  (a, b, width, _, saturate) => {
    const product = 2n * s(a, width) * s(b, width) + (rounding ? 1n << BigInt(width - 1) : 0n);
    return saturate(product >> BigInt(width), width, true);
  };

const accumulated =
  (sign: 1n | -1n): LaneOperation =>
  (a, b, width, old, saturate) => {
    const sum = (s(old, width) << BigInt(width)) + sign * 2n * s(a, width) * s(b, width);
    return saturate((sum + (1n << BigInt(width - 1))) >> BigInt(width), width, true);
  };

/** Which lane sizes an operation has (log2 of the bytes), in vectors and as a scalar. */
export interface Sizes {
  readonly vector: readonly number[];
  readonly scalar?: readonly number[];
}

export const SMALL: Sizes = { vector: [0, 1, 2] };
const ALL: Sizes = { vector: [0, 1, 2, 3] };
export const ALL_SCALAR: Sizes = { vector: [0, 1, 2, 3], scalar: [0, 1, 2, 3] };
export const ALL_SCALAR_D: Sizes = { vector: [0, 1, 2, 3], scalar: [3] };
const MIDDLE_SCALAR: Sizes = { vector: [1, 2], scalar: [1, 2] };

/** By opcode: names, sizes and operations, signed (U = 0) then unsigned (U = 1). */
const THREE_SAME: readonly (readonly [
  string,
  readonly [string, string],
  Sizes,
  readonly [LaneOperation, LaneOperation],
])[] = [
  ['00000', ['shadd', 'uhadd'], SMALL, bothSigns((a, b) => (a + b) >> 1n)],
  [
    '00001',
    ['sqadd', 'uqadd'],
    ALL_SCALAR,
    bothSigns((a, b, width, signed, saturate) => saturate(a + b, width, signed)),
  ],
  ['00010', ['srhadd', 'urhadd'], SMALL, bothSigns((a, b) => (a + b + 1n) >> 1n)],
  ['00100', ['shsub', 'uhsub'], SMALL, bothSigns((a, b) => (a - b) >> 1n)],
  [
    '00101',
    ['sqsub', 'uqsub'],
    ALL_SCALAR,
    bothSigns((a, b, width, signed, saturate) => saturate(a - b, width, signed)),
  ],
  ['00110', ['cmgt', 'cmhi'], ALL_SCALAR_D, bothSigns((a, b, width) => mask(a > b, width))],
  ['00111', ['cmge', 'cmhs'], ALL_SCALAR_D, bothSigns((a, b, width) => mask(a >= b, width))],
  [
    '01000',
    ['sshl', 'ushl'],
    ALL_SCALAR_D,
    bothSigns((a, b, width, signed) => shiftBy(a, b, width, signed, {})),
  ],
  [
    '01001',
    ['sqshl', 'uqshl'],
    ALL_SCALAR,
    bothSigns((a, b, width, signed, saturate) => shiftBy(a, b, width, signed, { saturate })),
  ],
  [
    '01010',
    ['srshl', 'urshl'],
    ALL_SCALAR_D,
    bothSigns((a, b, width, signed) => shiftBy(a, b, width, signed, { rounding: true })),
  ],
  [
    '01011',
    ['sqrshl', 'uqrshl'],
    ALL_SCALAR,
    bothSigns((a, b, width, signed, saturate) => shiftBy(a, b, width, signed, { rounding: true, saturate })),
  ],
  ['01100', ['smax', 'umax'], SMALL, bothSigns((a, b) => (a > b ? a : b))],
  ['01101', ['smin', 'umin'], SMALL, bothSigns((a, b) => (a < b ? a : b))],
  ['01110', ['sabd', 'uabd'], SMALL, bothSigns((a, b) => absolute(a - b))],
  [
    '01111',
    ['saba', 'uaba'],
    SMALL,
    [
      (a, b, width, old) => old + absolute(s(a, width) - s(b, width)),
      (a, b, _, old) => old + absolute(a - b),
    ],
  ],
  ['10000', ['add', 'sub'], ALL_SCALAR_D, [(a, b) => a + b, (a, b) => a - b]],
  [
    '10001',
    ['cmtst', 'cmeq'],
    ALL_SCALAR_D,
    [(a, b, width) => mask((a & b) !== 0n, width), (a, b, width) => mask(a === b, width)],
  ],
  ['10010', ['mla', 'mls'], SMALL, [(a, b, _, old) => old + a * b, (a, b, _, old) => old - a * b]],
  ['10110', ['sqdmulh', 'sqrdmulh'], MIDDLE_SCALAR, [doubledHigh(false), doubledHigh(true)]],
];

/** Operations of one sign, or of fewer sizes than their neighbours. */
const SINGLE: readonly (readonly [string, '0' | '1', string, Sizes, LaneOperation])[] = [
  ['10011', '0', 'mul', SMALL, (a, b) => a * b],
  ['10011', '1', 'pmul', { vector: [0] }, (a, b, width) => carrylessProduct(a, b, width)],
];

/** Of neighbouring lanes, of both operands. */
const PAIRWISE: readonly (readonly [string, '0' | '1', string, Sizes, LaneOperation])[] = [
  ['10100', '0', 'smaxp', SMALL, THREE_SAME[11]![3][0]],
  ['10100', '1', 'umaxp', SMALL, THREE_SAME[11]![3][1]],
  ['10101', '0', 'sminp', SMALL, THREE_SAME[12]![3][0]],
  ['10101', '1', 'uminp', SMALL, THREE_SAME[12]![3][1]],
  ['10111', '0', 'addp', ALL, (a, b) => a + b],
];

/** Size and Q; lanes of a doubleword come in pairs. */
export const readVectorForm =
  (sizes: readonly number[]) =>
  (f: Fields, i: Instruction): boolean => {
    i.kind = f('h');
    i.sf = f('q') === 1;
    return sizes.includes(i.kind) && (i.kind < 3 || i.sf);
  };

export const readScalarForm =
  (sizes: readonly number[]) =>
  (f: Fields, i: Instruction): boolean => {
    i.kind = f('h');
    return sizes.includes(i.kind);
  };

export const bitsOf = (i: Instruction): 64 | 128 => (i.sf ? 128 : 64);

export function laneByLane(cpu: Cpu, i: Instruction, operation: LaneOperation, bits: number): void {
  cpu.checkFp();
  const width = 8 << i.kind;
  const [a, b, old] = [i.n, i.m, i.d].map(register => lanesOf(readVector(cpu, register, bits), width, bits));
  const saturate = saturator(cpu);
  const result = a!.map((lane, n) => operation(lane, b![n]!, width, old![n]!, saturate));
  writeVector(cpu, i.d, fromLanes(result, width));
}

function pairwise(cpu: Cpu, i: Instruction, operation: LaneOperation): void {
  cpu.checkFp();
  const [width, bits] = [8 << i.kind, bitsOf(i)];
  const lanes = [i.n, i.m].flatMap(register => lanesOf(readVector(cpu, register, bits), width, bits));
  const saturate = saturator(cpu);
  const result = Array.from({ length: lanes.length / 2 }, (_, n) =>
    operation(lanes[2 * n]!, lanes[2 * n + 1]!, width, 0n, saturate),
  );
  writeVector(cpu, i.d, fromLanes(result, width));
}

function sameForms(
  opcode: string,
  u: string,
  name: string,
  { vector, scalar }: Sizes,
  operation: LaneOperation,
): readonly Row[] {
  const rows: Row[] = [
    {
      name,
      bits: `0q${u}01110hh1zzzzz${opcode}1yyyyyxxxxx`,
      read: readVectorForm(vector),
      helper: (cpu, i) => laneByLane(cpu, i, operation, bitsOf(i)),
    },
  ];
  if (scalar === undefined) return rows;
  const scalarRow: Row = {
    name,
    bits: `01${u}11110hh1zzzzz${opcode}1yyyyyxxxxx`,
    read: readScalarForm(scalar),
    helper: (cpu, i) => laneByLane(cpu, i, operation, 8 << i.kind),
  };
  return [...rows, scalarRow];
}

/** The bitwise operations: U, size and what becomes of the whole registers. */
const BITWISE: readonly (readonly [string, string, string, (a: bigint, b: bigint, old: bigint) => bigint])[] =
  [
    ['and', '0', '00', (a, b) => a & b],
    ['bic', '0', '01', (a, b) => a & ~b],
    ['orr', '0', '10', (a, b) => a | b],
    ['orn', '0', '11', (a, b) => a | ~b],
    ['eor', '1', '00', (a, b) => a ^ b],
    ['bsl', '1', '01', (a, b, old) => (old & a) | (~old & b)],
    ['bit', '1', '10', (a, b, old) => (old & ~b) | (a & b)],
    ['bif', '1', '11', (a, b, old) => (old & b) | (a & ~b)],
  ];

export const SIMD_INTEGER: readonly Row[] = [
  ...THREE_SAME.flatMap(([opcode, names, sizes, operations]) =>
    ([0, 1] as const).flatMap(u => sameForms(opcode, String(u), names[u], sizes, operations[u])),
  ),
  ...SINGLE.flatMap(([opcode, u, name, sizes, operation]) => sameForms(opcode, u, name, sizes, operation)),
  ...PAIRWISE.map(
    ([opcode, u, name, { vector }, operation]): Row => ({
      name,
      bits: `0q${u}01110hh1zzzzz${opcode}1yyyyyxxxxx`,
      read: readVectorForm(vector),
      helper: (cpu, i) => pairwise(cpu, i, operation),
    }),
  ),
  ...BITWISE.map(
    ([name, u, size, operation]): Row => ({
      name,
      bits: `0q${u}01110${size}1zzzzz000111yyyyyxxxxx`,
      read: (f, i) => {
        i.sf = f('q') === 1;
        return true;
      },
      helper: (cpu, i) => {
        cpu.checkFp();
        const [a, b, old] = [i.n, i.m, i.d].map(register => readVector(cpu, register, bitsOf(i)));
        writeVector(cpu, i.d, BigInt.asUintN(bitsOf(i), operation(a!, b!, old!)));
      },
    }),
  ),
  // FEAT_RDM: the same field with bit 21 clear.
  ...(
    [
      ['sqrdmlah', '10000', accumulated(1n)],
      ['sqrdmlsh', '10001', accumulated(-1n)],
    ] as const
  ).flatMap(([name, opcode, operation]): Row[] => [
    {
      name,
      bits: `0q101110hh0zzzzz${opcode}1yyyyyxxxxx`,
      read: readVectorForm([1, 2]),
      helper: (cpu, i) => laneByLane(cpu, i, operation, bitsOf(i)),
      feature: 'RDM',
    },
    {
      name,
      bits: `01111110hh0zzzzz${opcode}1yyyyyxxxxx`,
      read: readScalarForm([1, 2]),
      helper: (cpu, i) => laneByLane(cpu, i, operation, 8 << i.kind),
      feature: 'RDM',
    },
  ]),
  {
    name: 'addp',
    bits: '0101111011110001101110yyyyyxxxxx',
    helper: (cpu, i) => {
      cpu.checkFp();
      const [low, high] = lanesOf(readVector(cpu, i.n), 64, 128);
      writeVector(cpu, i.d, BigInt.asUintN(64, low! + high!));
    },
  },
];
