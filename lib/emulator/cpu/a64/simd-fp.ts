/** Vector floating point, and the scalar forms among the vector encodings (C4.1.96). */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import {
  fpAbsolute,
  fpAdd,
  fpConvert,
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
  fpSqrt,
  fpSub,
} from '../fp/arithmetic.ts';
import {
  fpReciprocalEstimate,
  fpReciprocalExponent,
  fpReciprocalStep,
  fpRootEstimate,
  fpRootStep,
  unsignedReciprocalEstimate,
  unsignedRootEstimate,
} from '../fp/estimates.ts';
import { DOUBLE, type Environment, type Format, HALF, ROUND, SINGLE } from '../fp/format.ts';
import { fpFromInteger, fpRoundToInteger, fpToInteger } from '../fp/integers.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { halfLanes, writeNarrow } from './simd-shift.ts';
import { fromLanes, lanesOf, readVector, withEnvironment, writeVector } from './vectors.ts';

/** On lanes of one format; `old` is the destination's. */
type Lane = (format: Format, environment: Environment, a: bigint, b: bigint, old: bigint) => bigint;

const mask = ({ bits }: Format, condition: boolean): bigint => (condition ? ones(bits) : 0n);

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

const againstZero =
  (holds: (order: number) => boolean, signalAll = true): Lane =>
  (format, environment, a) => {
    const order = fpOrder(format, environment, a, 0n, signalAll);
    return mask(format, order !== undefined && holds(order));
  };

const rounds =
  (rounding: number | undefined, exact = false): Lane =>
  (format, environment, a) =>
    fpRoundToInteger(format, environment, a, rounding ?? environment.rounding, exact);

const toInteger =
  (signed: boolean, rounding: number): Lane =>
  (format, environment, a) =>
    fpToInteger(format, environment, a, { width: format.bits, signed, rounding });

const fromInteger =
  (signed: boolean): Lane =>
  (format, environment, a) =>
    fpFromInteger(format, environment, signed ? BigInt.asIntN(format.bits, a) : a);

const TWO_REGISTERS: readonly (readonly [string, '0' | '1', '0' | '1', string, Lane, boolean])[] = [
  ['frintn', '0', '0', '11000', rounds(ROUND.nearest), false],
  ['frintm', '0', '0', '11001', rounds(ROUND.down), false],
  ['frintp', '0', '1', '11000', rounds(ROUND.up), false],
  ['frintz', '0', '1', '11001', rounds(ROUND.zero), false],
  ['frinta', '1', '0', '11000', rounds(ROUND.away), false],
  ['frintx', '1', '0', '11001', rounds(undefined, true), false],
  ['frinti', '1', '1', '11001', rounds(undefined), false],
  ...(['s', 'u'] as const).flatMap((sign, n) => {
    const u = n === 0 ? '0' : '1';
    const signed = n === 0;
    return [
      [`fcvtn${sign}`, u, '0', '11010', toInteger(signed, ROUND.nearest), true],
      [`fcvtm${sign}`, u, '0', '11011', toInteger(signed, ROUND.down), true],
      [`fcvta${sign}`, u, '0', '11100', toInteger(signed, ROUND.away), true],
      [`${sign}cvtf`, u, '0', '11101', fromInteger(signed), true],
      [`fcvtp${sign}`, u, '1', '11010', toInteger(signed, ROUND.up), true],
      [`fcvtz${sign}`, u, '1', '11011', toInteger(signed, ROUND.zero), true],
    ] as const;
  }),
  ['fcmgt', '0', '1', '01100', againstZero(order => order > 0), true],
  ['fcmeq', '0', '1', '01101', againstZero(order => order === 0, false), true],
  ['fcmlt', '0', '1', '01110', againstZero(order => order < 0), true],
  ['fcmge', '1', '1', '01100', againstZero(order => order >= 0), true],
  ['fcmle', '1', '1', '01101', againstZero(order => order <= 0), true],
  ['fabs', '0', '1', '01111', (format, _, a) => fpAbsolute(format, a), false],
  ['fneg', '1', '1', '01111', (format, _, a) => fpNegate(format, a), false],
  ['fsqrt', '1', '1', '11111', fpSqrt, false],
  ['frecpe', '0', '1', '11101', fpReciprocalEstimate, true],
  ['frsqrte', '1', '1', '11101', fpRootEstimate, true],
];

/** Where a precision has its encodings: single and double by the lower bit of size, half in a class of its own. */
interface Precision {
  readonly format: Format;
  readonly feature?: string;
}
const WIDE: readonly (readonly [string, Precision])[] = [
  ['0', { format: SINGLE }],
  ['1', { format: DOUBLE }],
];
const NARROW: Precision = { format: HALF, feature: 'FP16' };

const given = ({ feature }: Precision) => (feature === undefined ? {} : { feature });

const readQ =
  ({ format }: Precision) =>
  (f: Fields, i: Instruction): boolean => {
    i.sf = f('q') === 1;
    return format !== DOUBLE || i.sf;
  };

function laneByLane(cpu: Cpu, i: Instruction, format: Format, operation: Lane, bits: number): void {
  cpu.checkFp();
  const [a, b, old] = [i.n, i.m, i.d].map(register =>
    lanesOf(readVector(cpu, register, bits), format.bits, bits),
  );
  const result = withEnvironment(cpu, environment =>
    a!.map((lane, n) => operation(format, environment, lane, b![n]!, old![n]!)),
  );
  writeVector(cpu, i.d, fromLanes(result, format.bits));
}

const vectorRow = (name: string, bits: string, precision: Precision, operation: Lane): Row => ({
  name,
  bits,
  read: readQ(precision),
  helper: (cpu, i) => laneByLane(cpu, i, precision.format, operation, i.sf ? 128 : 64),
  ...given(precision),
});

const scalarRow = (name: string, bits: string, precision: Precision, operation: Lane): Row => ({
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

const miscRows = TWO_REGISTERS.flatMap(([name, u, o, opcode, operation, scalar]): Row[] => [
  ...WIDE.flatMap(([size, precision]) => [
    vectorRow(name, `0q${u}01110${o}${size}10000${opcode}10yyyyyxxxxx`, precision, operation),
    ...(scalar
      ? [scalarRow(name, `01${u}11110${o}${size}10000${opcode}10yyyyyxxxxx`, precision, operation)]
      : []),
  ]),
  vectorRow(name, `0q${u}01110${o}111100${opcode}10yyyyyxxxxx`, NARROW, operation),
  ...(scalar ? [scalarRow(name, `01${u}11110${o}111100${opcode}10yyyyyxxxxx`, NARROW, operation)] : []),
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

/** Between lanes of two widths: FCVTL, FCVTN, FCVTXN. */
const LENGTHS = [
  ['0', SINGLE, HALF],
  ['1', DOUBLE, SINGLE],
] as const;

const lengthRows = (['0', '1'] as const).flatMap(q => {
  const name = (base: string) => (q === '1' ? `${base}2` : base);
  const read = (_: Fields, i: Instruction): boolean => {
    i.sf = q === '1';
    return true;
  };
  const narrow =
    (long: Format, short: Format, odd = false): NonNullable<Row['helper']> =>
    (cpu, i) => {
      cpu.checkFp();
      const lanes = lanesOf(readVector(cpu, i.n), long.bits, 128);
      const result = withEnvironment(cpu, environment => {
        if (odd) environment.rounding = ROUND.odd;
        return lanes.map(lane => fpConvert(long, short, environment, lane));
      });
      writeNarrow(cpu, i, result, short.bits);
    };
  return [
    ...LENGTHS.flatMap(([size, long, short]): Row[] => [
      { name: name('fcvtn'), bits: `0${q}0011100${size}100001011010yyyyyxxxxx`, read, helper: narrow(long, short) },
      {
        name: name('fcvtl'),
        bits: `0${q}0011100${size}100001011110yyyyyxxxxx`,
        read,
        helper: (cpu, i) => {
          cpu.checkFp();
          const lanes = halfLanes(cpu, i, i.n, short.bits);
          const result = withEnvironment(cpu, environment =>
            lanes.map(lane => fpConvert(short, long, environment, lane)),
          );
          writeVector(cpu, i.d, fromLanes(result, long.bits));
        },
      },
    ]),
    {
      name: name('fcvtxn'),
      bits: `0${q}10111001100001011010yyyyyxxxxx`,
      read,
      helper: narrow(DOUBLE, SINGLE, true),
    } satisfies Row,
  ];
});

const OTHERS: readonly Row[] = [
  {
    name: 'fcvtxn',
    bits: '0111111001100001011010yyyyyxxxxx',
    helper: (cpu, i) => {
      cpu.checkFp();
      const result = withEnvironment(cpu, environment => {
        environment.rounding = ROUND.odd;
        return fpConvert(DOUBLE, SINGLE, environment, readVector(cpu, i.n, 64));
      });
      writeVector(cpu, i.d, result);
    },
  },
  ...WIDE.map(([size, precision]) =>
    scalarRow('frecpx', `010111101${size}100001111110yyyyyxxxxx`, precision, fpReciprocalExponent),
  ),
  scalarRow('frecpx', '0101111011111001111110yyyyyxxxxx', NARROW, fpReciprocalExponent),
  vectorRow('urecpe', '0q00111010100001110010yyyyyxxxxx', { format: SINGLE }, (_, __, a) =>
    unsignedReciprocalEstimate(a),
  ),
  vectorRow('ursqrte', '0q10111010100001110010yyyyyxxxxx', { format: SINGLE }, (_, __, a) =>
    unsignedRootEstimate(a),
  ),
];

/** By immh: the lane, and the fraction bits of fixed point. */
const FIXED = [
  ['001iiii', NARROW],
  ['01iiiii', { format: SINGLE }],
  ['1iiiiii', { format: DOUBLE }],
] as const satisfies readonly (readonly [string, Precision])[];

const fixedRows = (['s', 'u'] as const).flatMap(sign => {
  const u = sign === 's' ? '0' : '1';
  const signed = sign === 's';
  return FIXED.flatMap(([immediate, precision]): Row[] => {
    const { format } = precision;
    const places = (f: Fields, i: Instruction): boolean => {
      i.amount = format.bits - f('i');
      i.sf = f('q') === 1;
      return true;
    };
    const to = (i: Instruction): Lane => (_, environment, a) =>
      fpToInteger(format, environment, a, { width: format.bits, signed, rounding: ROUND.zero, places: i.amount });
    const from = (i: Instruction): Lane => (_, environment, a) =>
      fpFromInteger(format, environment, signed ? BigInt.asIntN(format.bits, a) : a, i.amount);
    return (
      [
        [`fcvtz${sign}`, '11111', to],
        [`${sign}cvtf`, '11100', from],
      ] as const
    ).flatMap(([name, opcode, lane]): Row[] => [
      {
        name,
        bits: `0q${u}011110${immediate}${opcode}1yyyyyxxxxx`,
        read: (f, i) => places(f, i) && (format !== DOUBLE || i.sf),
        helper: (cpu, i) => laneByLane(cpu, i, format, lane(i), i.sf ? 128 : 64),
        ...given(precision),
      },
      {
        name,
        bits: `01${u}111110${immediate}${opcode}1yyyyyxxxxx`,
        read: places,
        helper: (cpu, i) => laneByLane(cpu, i, format, lane(i), format.bits),
        ...given(precision),
      },
    ]);
  });
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
      laneByLane(cpu, i, format, (_, environment, a, __, old) => operation(format, environment, a, element, old), bits);
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

export const SIMD_FP: readonly Row[] = [
  ...sameRows,
  ...miscRows,
  ...pairRows,
  ...acrossRows,
  ...lengthRows,
  ...OTHERS,
  ...fixedRows,
  ...elementRows,
];
