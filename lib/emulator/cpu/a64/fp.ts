/** Scalar floating point (C4.1.96). */
import type { Cpu } from '../cpu.ts';
import {
  expandImmediate,
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
  fpNegate,
  fpOrder,
  fpSqrt,
  fpSub,
} from '../fp/arithmetic.ts';
import { DOUBLE, type Environment, FORMATS, type Format, ROUND } from '../fp/format.ts';
import { fpFromInteger, fpRoundToInteger, fpToInt32, fpToInteger } from '../fp/integers.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { readVector, withEnvironment, writeVector } from './vectors.ts';

type Operation = (format: Format, environment: Environment, ...operands: bigint[]) => bigint;

const TYPES = [
  { bits: '00', format: FORMATS[0]! },
  { bits: '01', format: FORMATS[1]! },
  { bits: '11', format: FORMATS[3]!, feature: 'FP16' },
] as const;

const optional = (type: (typeof TYPES)[number]) => ('feature' in type ? { feature: type.feature } : {});

/** A row for each precision; `T` of the pattern is the type. */
function perType(
  name: string,
  pattern: string,
  make: (format: Format) => Pick<Row, 'helper' | 'read'>,
): readonly Row[] {
  return TYPES.map(type => ({
    name,
    bits: pattern.replace('TT', type.bits),
    ...make(type.format),
    ...optional(type),
  }));
}

const ofOne = (operation: Operation) => (format: Format) => ({
  helper: (cpu: Cpu, i: Instruction) => {
    cpu.checkFp();
    const x = readVector(cpu, i.n, format.bits);
    writeVector(
      cpu,
      i.d,
      withEnvironment(cpu, environment => operation(format, environment, x)),
    );
  },
});

const ofTwo = (operation: Operation) => (format: Format) => ({
  helper: (cpu: Cpu, i: Instruction) => {
    cpu.checkFp();
    const x = readVector(cpu, i.n, format.bits);
    const y = readVector(cpu, i.m, format.bits);
    writeVector(
      cpu,
      i.d,
      withEnvironment(cpu, environment => operation(format, environment, x, y)),
    );
  },
});

const roundTo =
  (rounding: number | undefined, exact = false): Operation =>
  (format, environment, x) =>
    fpRoundToInteger(format, environment, x!, rounding ?? environment.rounding, exact);

/** By the opcode of six bits. */
const ONE_SOURCE: readonly (readonly [string, string, Operation])[] = [
  ['fmov', '000000', (_, __, x) => x!],
  ['fabs', '000001', (format, _, x) => fpAbsolute(format, x!)],
  ['fneg', '000010', (format, _, x) => fpNegate(format, x!)],
  ['fsqrt', '000011', (format, environment, x) => fpSqrt(format, environment, x!)],
  ['frintn', '001000', roundTo(ROUND.nearest)],
  ['frintp', '001001', roundTo(ROUND.up)],
  ['frintm', '001010', roundTo(ROUND.down)],
  ['frintz', '001011', roundTo(ROUND.zero)],
  ['frinta', '001100', roundTo(ROUND.away)],
  ['frintx', '001110', roundTo(undefined, true)],
  ['frinti', '001111', roundTo(undefined)],
];

const TWO_SOURCE: readonly (readonly [string, string, Operation])[] = [
  ['fmul', '0000', (format, environment, x, y) => fpMul(format, environment, x!, y!)],
  ['fdiv', '0001', (format, environment, x, y) => fpDiv(format, environment, x!, y!)],
  ['fadd', '0010', (format, environment, x, y) => fpAdd(format, environment, x!, y!)],
  ['fsub', '0011', (format, environment, x, y) => fpSub(format, environment, x!, y!)],
  ['fmax', '0100', (format, environment, x, y) => fpMax(format, environment, x!, y!)],
  ['fmin', '0101', (format, environment, x, y) => fpMin(format, environment, x!, y!)],
  ['fmaxnm', '0110', (format, environment, x, y) => fpMaxNumber(format, environment, x!, y!)],
  ['fminnm', '0111', (format, environment, x, y) => fpMinNumber(format, environment, x!, y!)],
  ['fnmul', '1000', (format, environment, x, y) => fpNegate(format, fpMul(format, environment, x!, y!))],
];

/** By o1 and o0: which of the product and the addend are negated. */
const THREE_SOURCE = [
  ['fmadd', '0', '0', false, false],
  ['fmsub', '0', '1', true, false],
  ['fnmadd', '1', '0', true, true],
  ['fnmsub', '1', '1', false, true],
] as const;

const ARITHMETIC: readonly Row[] = [
  ...ONE_SOURCE.flatMap(([name, opcode, operation]) =>
    perType(name, `00011110TT1${opcode}10000yyyyyxxxxx`, ofOne(operation)),
  ),
  ...TWO_SOURCE.flatMap(([name, opcode, operation]) =>
    perType(name, `00011110TT1zzzzz${opcode}10yyyyyxxxxx`, ofTwo(operation)),
  ),
  ...THREE_SOURCE.flatMap(([name, o1, o0, product, addend]) =>
    perType(name, `00011111TT${o1}zzzzz${o0}pppppyyyyyxxxxx`, format => ({
      helper: (cpu, i) => {
        cpu.checkFp();
        const [x, y, a] = [i.n, i.m, i.a].map(register => readVector(cpu, register, format.bits));
        const factor = product ? fpNegate(format, x!) : x!;
        const start = addend ? fpNegate(format, a!) : a!;
        const result = withEnvironment(cpu, environment => fpMulAdd(format, environment, start, factor, y!));
        writeVector(cpu, i.d, result);
      },
    })),
  ),
];

/** FCVT between two precisions: `opc` is the type of the result. */
const CONVERSIONS: readonly Row[] = TYPES.flatMap(from =>
  TYPES.filter(to => to !== from).map(
    (to): Row => ({
      name: 'fcvt',
      bits: `00011110${from.bits}10001${to.bits}10000yyyyyxxxxx`,
      helper: (cpu, i) => {
        cpu.checkFp();
        const x = readVector(cpu, i.n, from.format.bits);
        const result = withEnvironment(cpu, environment => fpConvert(from.format, to.format, environment, x));
        writeVector(cpu, i.d, result);
      },
    }),
  ),
);

/** NZCV of a comparison: less, equal, greater, unordered. */
function compare(cpu: Cpu, format: Format, x: bigint, y: bigint, signalAll: boolean): void {
  const order = withEnvironment(cpu, environment => fpOrder(format, environment, x, y, signalAll));
  cpu.setNzcv(order === undefined ? 0b0011 : order < 0 ? 0b1000 : order === 0 ? 0b0110 : 0b0010);
}

const readCondition = (f: Fields, i: Instruction): undefined => {
  i.condition = f('c');
  i.amount = f('f');
};

const COMPARISONS: readonly Row[] = (
  [
    ['fcmp', '0', false],
    ['fcmpe', '1', true],
  ] as const
).flatMap(([name, e, signalAll]) => [
  ...perType(name, `00011110TT1zzzzz001000yyyyy${e}0000`, format => ({
    helper: (cpu, i) => {
      cpu.checkFp();
      const [x, y] = [readVector(cpu, i.n, format.bits), readVector(cpu, i.m, format.bits)];
      compare(cpu, format, x, y, signalAll);
    },
  })),
  ...perType(name, `00011110TT1jjjjj001000yyyyy${e}1000`, format => ({
    helper: (cpu, i) => {
      cpu.checkFp();
      compare(cpu, format, readVector(cpu, i.n, format.bits), 0n, signalAll);
    },
  })),
  ...perType(name.replace('fc', 'fcc'), `00011110TT1zzzzzcccc01yyyyy${e}ffff`, format => ({
    read: readCondition,
    helper: (cpu, i) => {
      cpu.checkFp();
      if (!cpu.holds(i.condition)) return cpu.setNzcv(i.amount);
      const [x, y] = [readVector(cpu, i.n, format.bits), readVector(cpu, i.m, format.bits)];
      compare(cpu, format, x, y, signalAll);
    },
  })),
]);

const MOVES: readonly Row[] = [
  ...perType('fcsel', '00011110TT1zzzzzcccc11yyyyyxxxxx', format => ({
    read: readCondition,
    helper: (cpu, i) => {
      cpu.checkFp();
      writeVector(cpu, i.d, readVector(cpu, cpu.holds(i.condition) ? i.n : i.m, format.bits));
    },
  })),
  ...perType('fmov', '00011110TT1iiiiiiii10000000xxxxx', format => ({
    read: (f, i) => {
      i.imm = expandImmediate(format, f('i'));
      return true;
    },
    helper: (cpu, i) => {
      cpu.checkFp();
      writeVector(cpu, i.d, i.imm);
    },
  })),
];

/** FMOV between a general and a vector register: sf, type, rmode, the bits that move, and from which. */
const TRANSFERS: readonly Row[] = (
  [
    ['0', '11', '00', 16, 0],
    ['1', '11', '00', 16, 0],
    ['0', '00', '00', 32, 0],
    ['1', '01', '00', 64, 0],
    ['1', '10', '01', 64, 1],
  ] as const
).flatMap(([sf, type, rmode, bits, upper]): Row[] => {
  const given = bits === 16 ? { feature: 'FP16' } : {};
  return [
    {
      name: 'fmov',
      bits: `${sf}0011110${type}1${rmode}110000000yyyyyddddd`,
      helper: (cpu, i) => {
        cpu.checkFp();
        cpu.setX(i.d, BigInt.asUintN(bits, cpu.state.v[2 * i.n + upper]!));
      },
      ...given,
    },
    {
      name: 'fmov',
      bits: `${sf}0011110${type}1${rmode}111000000nnnnnxxxxx`,
      helper: (cpu, i) => {
        cpu.checkFp();
        // The upper half keeps its lower neighbour; any other takes the whole register.
        if (upper === 1) cpu.state.v[2 * i.d + 1] = cpu.x(i.n);
        else writeVector(cpu, i.d, BigInt.asUintN(bits, cpu.x(i.n)));
      },
      ...given,
    },
  ];
});

/** FCVT to an integer, by rmode and the opcode's upper two bits. */
const TO_INTEGER = [
  ['fcvtn', '00', '00', ROUND.nearest],
  ['fcvtp', '01', '00', ROUND.up],
  ['fcvtm', '10', '00', ROUND.down],
  ['fcvtz', '11', '00', ROUND.zero],
  ['fcvta', '00', '10', ROUND.away],
] as const;

const SIGNS = [
  ['s', '0', true],
  ['u', '1', false],
] as const;

function integerFrom(cpu: Cpu, i: Instruction, signed: boolean): bigint {
  const width = i.sf ? 64 : 32;
  const value = BigInt.asUintN(width, cpu.x(i.n));
  return signed ? BigInt.asIntN(width, value) : value;
}

/** Fixed point: 64 minus the number of fraction bits; a 32-bit register has at most 32. */
const readPlaces = (f: Fields, i: Instruction): boolean => {
  i.amount = 64 - f('i');
  return i.sf || i.amount <= 32;
};

const INTEGERS: readonly Row[] = SIGNS.flatMap(([sign, u, signed]) => [
  ...TO_INTEGER.flatMap(([name, rmode, opcode, rounding]) =>
    perType(name + sign, `s0011110TT1${rmode}${opcode}${u}000000yyyyyddddd`, format => ({
      helper: (cpu, i) => {
        cpu.checkFp();
        const x = readVector(cpu, i.n, format.bits);
        const options = { width: i.sf ? 64 : 32, signed, rounding };
        cpu.setX(
          i.d,
          withEnvironment(cpu, environment => fpToInteger(format, environment, x, options)),
        );
      },
    })),
  ),
  ...perType(`${sign}cvtf`, `s0011110TT10001${u}000000nnnnnxxxxx`, format => ({
    helper: (cpu, i) => {
      cpu.checkFp();
      const value = integerFrom(cpu, i, signed);
      writeVector(
        cpu,
        i.d,
        withEnvironment(cpu, environment => fpFromInteger(format, environment, value)),
      );
    },
  })),
  ...perType(`fcvtz${sign}`, `s0011110TT01100${u}iiiiiiyyyyyddddd`, format => ({
    read: readPlaces,
    helper: (cpu, i) => {
      cpu.checkFp();
      const x = readVector(cpu, i.n, format.bits);
      const options = { width: i.sf ? 64 : 32, signed, rounding: ROUND.zero, places: i.amount };
      cpu.setX(
        i.d,
        withEnvironment(cpu, environment => fpToInteger(format, environment, x, options)),
      );
    },
  })),
  ...perType(`${sign}cvtf`, `s0011110TT00001${u}iiiiiinnnnnxxxxx`, format => ({
    read: readPlaces,
    helper: (cpu, i) => {
      cpu.checkFp();
      const value = integerFrom(cpu, i, signed);
      const result = withEnvironment(cpu, environment => fpFromInteger(format, environment, value, i.amount));
      writeVector(cpu, i.d, result);
    },
  })),
]);

const JAVASCRIPT: Row = {
  name: 'fjcvtzs',
  bits: '0001111001111110000000yyyyyddddd',
  feature: 'JSCVT',
  helper: (cpu, i) => {
    cpu.checkFp();
    const x = readVector(cpu, i.n, 64);
    const [value, changed] = withEnvironment(cpu, environment => fpToInt32(DOUBLE, environment, x));
    cpu.setNzcv(changed ? 0 : 0b0100);
    cpu.setX(i.d, value);
  },
};

export const FP: readonly Row[] = [
  ...ARITHMETIC,
  ...CONVERSIONS,
  ...COMPARISONS,
  ...MOVES,
  ...TRANSFERS,
  ...INTEGERS,
  JAVASCRIPT,
];
