/** Vector floating point, and the scalar forms among the vector encodings (C4.1.96). */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import {
  fpAbsolute,
  fpAdd,
  fpDiv,
  fpMax,
  fpMaxNumber,
  fpMin,
  fpMinNumber,
  fpMul,
  fpMulAdd,
  fpMulX,
  fpNegate,
  fpOrder,
  fpSub,
} from '../fp/arithmetic.ts';
import { fpReciprocalStep, fpRootStep } from '../fp/estimates.ts';
import { DOUBLE, type Environment, type Format, HALF, SINGLE } from '../fp/format.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { fromLanes, lanesOf, readVector, withEnvironment, writeVector } from './vectors.ts';

/** On lanes of one format; `old` is the destination's. */
export type Lane = (format: Format, environment: Environment, a: bigint, b: bigint, old: bigint) => bigint;

export const mask = ({ bits }: Format, condition: boolean): bigint => (condition ? ones(bits) : 0n);

/** Comparisons: FCMEQ does not signal quiet NaNs. */
const compares =
  (holds: (order: number) => boolean, signalAll: boolean, absolute = false): Lane =>
  (format, environment, a, b) => {
    const [x, y] = absolute ? [fpAbsolute(format, a), fpAbsolute(format, b)] : [a, b];
    const order = fpOrder(format, environment, x, y, signalAll);
    return mask(format, order !== undefined && holds(order));
  };

const multiplyAdd: Lane = (format, environment, a, b, old) => fpMulAdd(format, environment, old, a, b);
const multiplySubtract: Lane = (format, environment, a, b, old) =>
  fpMulAdd(format, environment, old, fpNegate(format, a), b);

/** By U, the upper bit of size, and opcode; which have scalar forms. */
const THREE_SAME: readonly (readonly [string, '0' | '1', '0' | '1', string, Lane, boolean])[] = [
  ['fmaxnm', '0', '0', '11000', fpMaxNumber, false],
  ['fmla', '0', '0', '11001', multiplyAdd, false],
  ['fadd', '0', '0', '11010', fpAdd, false],
  ['fmulx', '0', '0', '11011', fpMulX, true],
  ['fcmeq', '0', '0', '11100', compares(order => order === 0, false), true],
  ['fmax', '0', '0', '11110', fpMax, false],
  ['frecps', '0', '0', '11111', fpReciprocalStep, true],
  ['fminnm', '0', '1', '11000', fpMinNumber, false],
  ['fmls', '0', '1', '11001', multiplySubtract, false],
  ['fsub', '0', '1', '11010', fpSub, false],
  ['fmin', '0', '1', '11110', fpMin, false],
  ['frsqrts', '0', '1', '11111', fpRootStep, true],
  ['fmul', '1', '0', '11011', fpMul, false],
  ['fcmge', '1', '0', '11100', compares(order => order >= 0, true), true],
  ['facge', '1', '0', '11101', compares(order => order >= 0, true, true), true],
  ['fdiv', '1', '0', '11111', fpDiv, false],
  [
    'fabd',
    '1',
    '1',
    '11010',
    (format, environment, a, b) => fpAbsolute(format, fpSub(format, environment, a, b)),
    true,
  ],
  ['fcmgt', '1', '1', '11100', compares(order => order > 0, true), true],
  ['facgt', '1', '1', '11101', compares(order => order > 0, true, true), true],
];

/** Of neighbours, with scalar forms of one pair. */
const PAIRWISE: readonly (readonly [string, '0' | '1', string, string, Lane])[] = [
  ['fmaxnmp', '0', '11000', '01100', fpMaxNumber],
  ['faddp', '0', '11010', '01101', fpAdd],
  ['fmaxp', '0', '11110', '01111', fpMax],
  ['fminnmp', '1', '11000', '01100', fpMinNumber],
  ['fminp', '1', '11110', '01111', fpMin],
];

/** Over all lanes, two by two. */
const ACROSS: readonly (readonly [string, '0' | '1', string, Lane])[] = [
  ['fmaxnmv', '0', '01100', fpMaxNumber],
  ['fminnmv', '1', '01100', fpMinNumber],
  ['fmaxv', '0', '01111', fpMax],
  ['fminv', '1', '01111', fpMin],
];

/** Where a precision has its encodings: single and double by the lower bit of size, half in a class of its own. */
export interface Precision {
  readonly format: Format;
  readonly feature?: string;
}
export const WIDE: readonly (readonly [string, Precision])[] = [
  ['0', { format: SINGLE }],
  ['1', { format: DOUBLE }],
];
export const NARROW: Precision = { format: HALF, feature: 'FP16' };

export const given = ({ feature }: Precision) => (feature === undefined ? {} : { feature });

export const readQ =
  ({ format }: Precision) =>
  (f: Fields, i: Instruction): boolean => {
    i.sf = f('q') === 1;
    return format !== DOUBLE || i.sf;
  };

export function laneByLane(cpu: Cpu, i: Instruction, format: Format, operation: Lane, bits: number): void {
  cpu.checkFp();
  const [a, b, old] = [i.n, i.m, i.d].map(register =>
    lanesOf(readVector(cpu, register, bits), format.bits, bits),
  );
  const result = withEnvironment(cpu, environment =>
    a!.map((lane, n) => operation(format, environment, lane, b![n]!, old![n]!)),
  );
  writeVector(cpu, i.d, fromLanes(result, format.bits));
}

export const vectorRow = (name: string, bits: string, precision: Precision, operation: Lane): Row => ({
  name,
  bits,
  read: readQ(precision),
  helper: (cpu, i) => laneByLane(cpu, i, precision.format, operation, i.sf ? 128 : 64),
  ...given(precision),
});

export const scalarRow = (name: string, bits: string, precision: Precision, operation: Lane): Row => ({
  name,
  bits,
  helper: (cpu, i) => laneByLane(cpu, i, precision.format, operation, precision.format.bits),
  ...given(precision),
});

const sameRows = THREE_SAME.flatMap(([name, u, o, opcode, operation, scalar]): Row[] => [
  ...WIDE.flatMap(([size, precision]) => [
    vectorRow(name, `0q${u}01110${o}${size}1zzzzz${opcode}1yyyyyxxxxx`, precision, operation),
    ...(scalar
      ? [scalarRow(name, `01${u}11110${o}${size}1zzzzz${opcode}1yyyyyxxxxx`, precision, operation)]
      : []),
  ]),
  vectorRow(name, `0q${u}01110${o}10zzzzz00${opcode.slice(2)}1yyyyyxxxxx`, NARROW, operation),
  ...(scalar
    ? [scalarRow(name, `01${u}11110${o}10zzzzz00${opcode.slice(2)}1yyyyyxxxxx`, NARROW, operation)]
    : []),
]);

function pairwise(cpu: Cpu, i: Instruction, format: Format, operation: Lane, lanes: readonly bigint[]): void {
  const result = withEnvironment(cpu, environment =>
    Array.from({ length: lanes.length / 2 }, (_, n) =>
      operation(format, environment, lanes[2 * n]!, lanes[2 * n + 1]!, 0n),
    ),
  );
  writeVector(cpu, i.d, fromLanes(result, format.bits));
}

const pairRows = PAIRWISE.flatMap(([name, o, opcode, scalarOpcode, operation]): Row[] => {
  const vector = (bits: string, precision: Precision): Row => ({
    name,
    bits,
    read: readQ(precision),
    helper: (cpu, i) => {
      cpu.checkFp();
      const width = i.sf ? 128 : 64;
      const lanes = [i.n, i.m].flatMap(register =>
        lanesOf(readVector(cpu, register, width), precision.format.bits, width),
      );
      pairwise(cpu, i, precision.format, operation, lanes);
    },
    ...given(precision),
  });
  const scalar = (bits: string, precision: Precision): Row => ({
    name,
    bits,
    helper: (cpu, i) => {
      cpu.checkFp();
      const { format } = precision;
      const both = lanesOf(readVector(cpu, i.n, 2 * format.bits), format.bits, 2 * format.bits);
      pairwise(cpu, i, format, operation, both);
    },
    ...given(precision),
  });
  return [
    ...WIDE.flatMap(([size, precision]) => [
      vector(`0q101110${o}${size}1zzzzz${opcode}1yyyyyxxxxx`, precision),
      scalar(`01111110${o}${size}11000${scalarOpcode}10yyyyyxxxxx`, precision),
    ]),
    vector(`0q101110${o}10zzzzz00${opcode.slice(2)}1yyyyyxxxxx`, NARROW),
    scalar(`01011110${o}011000${scalarOpcode}10yyyyyxxxxx`, NARROW),
  ];
});

/** Reduces the halves to one lane, then joins them. */
const reduced = (lanes: readonly bigint[], join: (a: bigint, b: bigint) => bigint): bigint => {
  if (lanes.length === 1) return lanes[0]!;
  const half = lanes.length / 2;
  return join(reduced(lanes.slice(0, half), join), reduced(lanes.slice(half), join));
};

const acrossRows = ACROSS.flatMap(([name, o, opcode, operation]): Row[] => {
  const row = (bits: string, precision: Precision, read: Row['read']): Row => ({
    name,
    bits,
    ...(read !== undefined && { read }),
    helper: (cpu, i) => {
      cpu.checkFp();
      const { format } = precision;
      const width = i.sf ? 128 : 64;
      const lanes = lanesOf(readVector(cpu, i.n, width), format.bits, width);
      const result = withEnvironment(cpu, environment =>
        reduced(lanes, (a, b) => operation(format, environment, a, b, 0n)),
      );
      writeVector(cpu, i.d, result);
    },
    ...given(precision),
  });
  return [
    // Of singles there are always four.
    row(`01101110${o}011000${opcode}10yyyyyxxxxx`, { format: SINGLE }, (_, i) => {
      i.sf = true;
      return true;
    }),
    row(`0q001110${o}011000${opcode}10yyyyyxxxxx`, NARROW, readQ(NARROW)),
  ];
});

/** By one element, whose index is H:L:M, H:L or H; M is part of the register but for halves. */
const ELEMENT: readonly (readonly [string, Precision, (f: Fields, i: Instruction) => boolean])[] = [
  [
    '00',
    NARROW,
    (f, i) => {
      i.amount = f('H') * 4 + f('l');
      i.m = f('e');
      return true;
    },
  ],
  [
    '10',
    { format: SINGLE },
    (f, i) => {
      i.amount = f('H') * 2 + (f('l') >> 1);
      i.m = (f('l') & 1) * 16 + f('e');
      return true;
    },
  ],
  [
    '11',
    { format: DOUBLE },
    (f, i) => {
      i.amount = f('H');
      i.m = (f('l') & 1) * 16 + f('e');
      return f('l') < 2;
    },
  ],
];

const elementRows = (
  [
    ['fmla', '0', '0001', multiplyAdd],
    ['fmls', '0', '0101', multiplySubtract],
    ['fmul', '0', '1001', fpMul],
    ['fmulx', '1', '1001', fpMulX],
  ] as const satisfies readonly (readonly [string, string, string, Lane])[]
).flatMap(([name, u, opcode, operation]) =>
  ELEMENT.flatMap(([size, precision, readElement]): Row[] => {
    const { format } = precision;
    const run = (cpu: Cpu, i: Instruction, bits: number) => {
      cpu.checkFp();
      const element = (readVector(cpu, i.m) >> BigInt(i.amount * format.bits)) & ones(format.bits);
      laneByLane(
        cpu,
        i,
        format,
        (_, environment, a, __, old) => operation(format, environment, a, element, old),
        bits,
      );
    };
    return [
      {
        name,
        bits: `0q${u}01111${size}lleeee${opcode}H0yyyyyxxxxx`,
        read: (f, i) => readQ(precision)(f, i) && readElement(f, i),
        helper: (cpu, i) => run(cpu, i, i.sf ? 128 : 64),
        ...given(precision),
      },
      {
        name,
        bits: `01${u}11111${size}lleeee${opcode}H0yyyyyxxxxx`,
        read: readElement,
        helper: (cpu, i) => run(cpu, i, format.bits),
        ...given(precision),
      },
    ];
  }),
);

export const SIMD_FP: readonly Row[] = [...sameRows, ...pairRows, ...acrossRows, ...elementRows];
