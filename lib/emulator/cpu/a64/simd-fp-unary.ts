import { fpAbsolute, fpConvert, fpNegate, fpOrder, fpSqrt } from '../fp/arithmetic.ts';
import {
  fpReciprocalEstimate,
  fpReciprocalExponent,
  fpRootEstimate,
  unsignedReciprocalEstimate,
  unsignedRootEstimate,
} from '../fp/estimates.ts';
import { DOUBLE, type Format, HALF, ROUND, SINGLE } from '../fp/format.ts';
import { fpFromInteger, fpRoundToInteger, fpToInteger } from '../fp/integers.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import {
  given,
  type Lane,
  laneByLane,
  mask,
  NARROW,
  type Precision,
  scalarRow,
  vectorRow,
  WIDE,
} from './simd-fp.ts';
import { halfLanes, writeNarrow } from './simd-shift.ts';
import { fromLanes, lanesOf, readVector, withEnvironment, writeVector } from './vectors.ts';

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
      {
        name: name('fcvtn'),
        bits: `0${q}0011100${size}100001011010yyyyyxxxxx`,
        read,
        helper: narrow(long, short),
      },
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
    const to =
      (i: Instruction): Lane =>
      (_, environment, a) =>
        fpToInteger(format, environment, a, {
          width: format.bits,
          signed,
          rounding: ROUND.zero,
          places: i.amount,
        });
    const from =
      (i: Instruction): Lane =>
      (_, environment, a) =>
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

export const SIMD_FP_UNARY: readonly Row[] = [...miscRows, ...lengthRows, ...OTHERS, ...fixedRows];
