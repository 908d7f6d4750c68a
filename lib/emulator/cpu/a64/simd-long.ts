/** Vector operations between lanes of different widths (three different), and by one element (C4.1.96). */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { type Saturate, saturator } from './simd-integer.ts';
import { halfLanes, writeNarrow } from './simd-shift.ts';
import { fromLanes, lanesOf, readVector, writeVector } from './vectors.ts';

const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** Operands as signed or unsigned numbers; the result is twice as wide as `width`, and so is `old`. */
type Long = (a: bigint, b: bigint, old: bigint, width: number, saturate: Saturate) => bigint;

const doubledProduct =
  (sign: 0n | 1n | -1n): Long =>
  (a, b, old, width, saturate) => {
    const product = saturate(2n * a * b, 2 * width, true);
    if (sign === 0n) return product;
    const wide = BigInt.asIntN(2 * width, product);
    return saturate(BigInt.asIntN(2 * width, old) + sign * wide, 2 * width, true);
  };

/** By opcode: names of both signs; those of U = 0 alone have one. */
const LONG: readonly (readonly [string, readonly string[], Long])[] = [
  ['0000', ['saddl', 'uaddl'], (a, b) => a + b],
  ['0010', ['ssubl', 'usubl'], (a, b) => a - b],
  ['0101', ['sabal', 'uabal'], (a, b, old) => old + absolute(a - b)],
  ['0111', ['sabdl', 'uabdl'], (a, b) => absolute(a - b)],
  ['1000', ['smlal', 'umlal'], (a, b, old) => old + a * b],
  ['1010', ['smlsl', 'umlsl'], (a, b, old) => old - a * b],
  ['1100', ['smull', 'umull'], (a, b) => a * b],
  ['1001', ['sqdmlal'], doubledProduct(1n)],
  ['1011', ['sqdmlsl'], doubledProduct(-1n)],
  ['1101', ['sqdmull'], doubledProduct(0n)],
];

const saturates = (names: readonly string[]): boolean => names.length === 1;

const readSize =
  (q: boolean, least: number) =>
  (f: Fields, i: Instruction): boolean => {
    i.kind = f('h');
    i.sf = q;
    return i.kind >= least && i.kind < 3;
  };

const QS = ['0', '1'] as const;
const named = (name: string, q: '0' | '1'): string => (q === '1' ? `${name}2` : name);

const signedIf = (signed: boolean, width: number) => (lane: bigint) =>
  signed ? BigInt.asIntN(width, lane) : lane;

function long(cpu: Cpu, i: Instruction, signed: boolean, operation: Long): void {
  cpu.checkFp();
  const width = 8 << i.kind;
  const [a, b] = [i.n, i.m].map(register => halfLanes(cpu, i, register, width).map(signedIf(signed, width)));
  const old = lanesOf(readVector(cpu, i.d), 2 * width, 128);
  const saturate = saturator(cpu);
  const result = old.map((lane, n) => operation(a![n]!, b![n]!, lane, width, saturate));
  writeVector(cpu, i.d, fromLanes(result, 2 * width));
}

const longRows = LONG.flatMap(([opcode, names, operation]) =>
  names.flatMap((name, u) =>
    QS.map(
      (q): Row => ({
        name: named(name, q),
        bits: `0${q}${u}01110hh1zzzzz${opcode}00yyyyyxxxxx`,
        read: readSize(q === '1', saturates(names) ? 1 : 0),
        helper: (cpu, i) => long(cpu, i, u === 0, operation),
      }),
    ),
  ),
);

/** Of scalars: the doubling products. */
const longScalars = LONG.filter(([, names]) => saturates(names)).map(
  ([opcode, [name], operation]): Row => ({
    name: name!,
    bits: `01011110hh1zzzzz${opcode}00yyyyyxxxxx`,
    read: readSize(false, 1),
    helper: (cpu, i) => {
      cpu.checkFp();
      const width = 8 << i.kind;
      const [a, b] = [i.n, i.m].map(register => BigInt.asIntN(width, readVector(cpu, register, 64)));
      const old = readVector(cpu, i.d, 2 * width);
      writeVector(cpu, i.d, operation(a!, b!, old, width, saturator(cpu)));
    },
  }),
);

const WIDE = [
  ['0001', ['saddw', 'uaddw'], 1n],
  ['0011', ['ssubw', 'usubw'], -1n],
] as const;

const wideRows = WIDE.flatMap(([opcode, names, sign]) =>
  names.flatMap((name, u) =>
    QS.map(
      (q): Row => ({
        name: named(name, q),
        bits: `0${q}${u}01110hh1zzzzz${opcode}00yyyyyxxxxx`,
        read: readSize(q === '1', 0),
        helper: (cpu, i) => {
          cpu.checkFp();
          const width = 8 << i.kind;
          const b = halfLanes(cpu, i, i.m, width).map(signedIf(u === 0, width));
          const result = lanesOf(readVector(cpu, i.n), 2 * width, 128).map((a, n) => a + sign * b[n]!);
          writeVector(cpu, i.d, fromLanes(result, 2 * width));
        },
      }),
    ),
  ),
);

/** The upper halves of sums and differences: U = 1 rounds. */
const HIGH = [
  ['0100', ['addhn', 'raddhn'], 1n],
  ['0110', ['subhn', 'rsubhn'], -1n],
] as const;

const highRows = HIGH.flatMap(([opcode, names, sign]) =>
  names.flatMap((name, u) =>
    QS.map(
      (q): Row => ({
        name: named(name, q),
        bits: `0${q}${u}01110hh1zzzzz${opcode}00yyyyyxxxxx`,
        read: readSize(q === '1', 0),
        helper: (cpu, i) => {
          cpu.checkFp();
          const width = 8 << i.kind;
          const [a, b] = [i.n, i.m].map(register => lanesOf(readVector(cpu, register), 2 * width, 128));
          const rounding = u === 1 ? 1n << BigInt(width - 1) : 0n;
          const lanes = a!.map((lane, n) => (lane + sign * b![n]! + rounding) >> BigInt(width));
          writeNarrow(cpu, i, lanes, width);
        },
      }),
    ),
  ),
);

/** Products without carries: of bytes, and of doublewords with FEAT_PMULL. */
function carryless(a: bigint, b: bigint): bigint {
  let result = 0n;
  for (let n = 0n, rest = b; rest !== 0n; n++, rest >>= 1n) if (rest & 1n) result ^= a << n;
  return result;
}

const polynomialRows = (
  [
    ['00', 8, undefined],
    ['11', 64, 'PMULL'],
  ] as const
).flatMap(([size, width, feature]) =>
  QS.map(
    (q): Row => ({
      name: named('pmull', q),
      bits: `0${q}001110${size}1zzzzz111000yyyyyxxxxx`,
      read: (_, i) => {
        i.sf = q === '1';
        return true;
      },
      helper: (cpu, i) => {
        cpu.checkFp();
        const [a, b] = [i.n, i.m].map(register => halfLanes(cpu, i, register, width));
        writeVector(
          cpu,
          i.d,
          fromLanes(
            a!.map((lane, n) => carryless(lane, b![n]!)),
            2 * width,
          ),
        );
      },
      ...(feature !== undefined && { feature }),
    }),
  ),
);

/** The element of the second operand. `l` is L:M: the index is H:L:M for halfwords, of V0-V15, and H:L for words. */
function readElement(f: Fields, i: Instruction): boolean {
  i.kind = f('h');
  if (i.kind === 1) {
    i.amount = f('H') * 4 + f('l');
    i.m = f('e');
  } else {
    i.amount = f('H') * 2 + (f('l') >> 1);
    i.m = (f('l') & 1) * 16 + f('e');
  }
  return i.kind === 1 || i.kind === 2;
}

const elementOf = (cpu: Cpu, i: Instruction): bigint => {
  const width = 8 << i.kind;
  return (readVector(cpu, i.m) >> BigInt(i.amount * width)) & ones(width);
};

type Same = (a: bigint, b: bigint, old: bigint, width: number, saturate: Saturate) => bigint;

const doubledHigh =
  (rounding: boolean): Same =>
  (a, b, _, width, saturate) => {
    const [x, y] = [BigInt.asIntN(width, a), BigInt.asIntN(width, b)];
    return saturate((2n * x * y + (rounding ? 1n << BigInt(width - 1) : 0n)) >> BigInt(width), width, true);
  };

const accumulatedHigh =
  (sign: 1n | -1n): Same =>
  (a, b, old, width, saturate) => {
    const [x, y, z] = [a, b, old].map(value => BigInt.asIntN(width, value));
    const sum = (z! << BigInt(width)) + sign * 2n * x! * y! + (1n << BigInt(width - 1));
    return saturate(sum >> BigInt(width), width, true);
  };

/** By U and opcode; whether there is a scalar form. */
const BY_ELEMENT: readonly (readonly [string, '0' | '1', string, Same, boolean, string?])[] = [
  ['mla', '1', '0000', (a, b, old) => old + a * b, false],
  ['mls', '1', '0100', (a, b, old) => old - a * b, false],
  ['mul', '0', '1000', (a, b) => a * b, false],
  ['sqdmulh', '0', '1100', doubledHigh(false), true],
  ['sqrdmulh', '0', '1101', doubledHigh(true), true],
  ['sqrdmlah', '1', '1101', accumulatedHigh(1n), true, 'RDM'],
  ['sqrdmlsh', '1', '1111', accumulatedHigh(-1n), true, 'RDM'],
];

function byElement(cpu: Cpu, i: Instruction, operation: Same, bits: number): void {
  cpu.checkFp();
  const width = 8 << i.kind;
  const element = elementOf(cpu, i);
  const old = lanesOf(readVector(cpu, i.d, bits), width, bits);
  const saturate = saturator(cpu);
  const lanes = lanesOf(readVector(cpu, i.n, bits), width, bits);
  const result = lanes.map((lane, n) => operation(lane, element, old[n]!, width, saturate));
  writeVector(cpu, i.d, fromLanes(result, width));
}

const byElementRows = BY_ELEMENT.flatMap(([name, u, opcode, operation, scalar, feature]): Row[] => {
  const given = feature === undefined ? {} : { feature };
  const vector: Row = {
    name,
    bits: `0q${u}01111hhlleeee${opcode}H0yyyyyxxxxx`,
    read: (f, i) => {
      i.sf = f('q') === 1;
      return readElement(f, i);
    },
    helper: (cpu, i) => byElement(cpu, i, operation, i.sf ? 128 : 64),
    ...given,
  };
  if (!scalar) return [vector];
  const single: Row = {
    name,
    bits: `01${u}11111hhlleeee${opcode}H0yyyyyxxxxx`,
    read: readElement,
    helper: (cpu, i) => byElement(cpu, i, operation, 8 << i.kind),
    ...given,
  };
  return [vector, single];
});

/** Long products by an element: opcode, and the opcode of the same operation between vectors. */
const LONG_BY_ELEMENT = [
  ['0010', '1000'],
  ['0110', '1010'],
  ['1010', '1100'],
  ['0011', '1001'],
  ['0111', '1011'],
  ['1011', '1101'],
] as const;

const longByElementRows = LONG_BY_ELEMENT.flatMap(([opcode, ofVectors]) => {
  const [, names, operation] = LONG.find(([code]) => code === ofVectors)!;
  const vectors = names.flatMap((name, u) =>
    QS.map(
      (q): Row => ({
        name: named(name, q),
        bits: `0${q}${u}01111hhlleeee${opcode}H0yyyyyxxxxx`,
        read: (f, i) => {
          i.sf = q === '1';
          return readElement(f, i);
        },
        helper: (cpu, i) => {
          cpu.checkFp();
          const width = 8 << i.kind;
          const sign = signedIf(u === 0, width);
          const element = sign(elementOf(cpu, i));
          const a = halfLanes(cpu, i, i.n, width).map(sign);
          const saturate = saturator(cpu);
          const result = lanesOf(readVector(cpu, i.d), 2 * width, 128).map((old, n) =>
            operation(a[n]!, element, old, width, saturate),
          );
          writeVector(cpu, i.d, fromLanes(result, 2 * width));
        },
      }),
    ),
  );
  if (!saturates(names)) return vectors;
  const scalar: Row = {
    name: names[0]!,
    bits: `01011111hhlleeee${opcode}H0yyyyyxxxxx`,
    read: readElement,
    helper: (cpu, i) => {
      cpu.checkFp();
      const width = 8 << i.kind;
      const a = BigInt.asIntN(width, readVector(cpu, i.n, 64));
      const element = BigInt.asIntN(width, elementOf(cpu, i));
      const old = readVector(cpu, i.d, 2 * width);
      writeVector(cpu, i.d, operation(a, element, old, width, saturator(cpu)));
    },
  };
  return [...vectors, scalar];
});

/** SDOT and UDOT: four products of bytes, added to a word. */
function dot(cpu: Cpu, i: Instruction, signed: boolean, second: (word: number) => bigint): void {
  cpu.checkFp();
  const bits = i.sf ? 128 : 64;
  const bytes = (word: bigint) => lanesOf(word, 8, 32).map(signedIf(signed, 8));
  const a = lanesOf(readVector(cpu, i.n, bits), 32, bits);
  const result = lanesOf(readVector(cpu, i.d, bits), 32, bits).map((old, n) => {
    const b = bytes(second(n));
    return bytes(a[n]!).reduce((sum, value, k) => sum + value * b[k]!, old);
  });
  writeVector(cpu, i.d, fromLanes(result, 32));
}

const dotRows = (
  [
    ['sdot', '0'],
    ['udot', '1'],
  ] as const
).flatMap(([name, u]): Row[] => [
  {
    name,
    bits: `0q${u}01110100zzzzz100101yyyyyxxxxx`,
    feature: 'DotProd',
    read: (f, i) => {
      i.sf = f('q') === 1;
      return true;
    },
    helper: (cpu, i) => {
      const b = lanesOf(readVector(cpu, i.m), 32, 128);
      dot(cpu, i, u === '0', n => b[n]!);
    },
  },
  {
    name,
    bits: `0q${u}0111110lleeee1110H0yyyyyxxxxx`,
    feature: 'DotProd',
    read: (f, i) => {
      i.sf = f('q') === 1;
      i.kind = 2;
      i.amount = f('H') * 2 + (f('l') >> 1);
      i.m = (f('l') & 1) * 16 + f('e');
      return true;
    },
    helper: (cpu, i) => dot(cpu, i, u === '0', () => elementOf(cpu, i)),
  },
]);

export const SIMD_LONG: readonly Row[] = [
  ...longRows,
  ...longScalars,
  ...wideRows,
  ...highRows,
  ...polynomialRows,
  ...byElementRows,
  ...longByElementRows,
  ...dotRows,
];
