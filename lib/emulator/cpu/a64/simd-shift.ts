/** Vector shifts by an immediate, widening and narrowing (C4.1.96). */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { type Saturate, saturator } from './simd-integer.ts';
import { fromLanes, lanesOf, readVector, writeVector } from './vectors.ts';

const s = (value: bigint, width: number): bigint => BigInt.asIntN(width, value);

/** By the highest bit of immh, which is the lane size: the pattern of the seven bits, and log2 of the bytes. */
const SIZES = [
  ['0001iii', 0],
  ['001iiii', 1],
  ['01iiiii', 2],
  ['1iiiiii', 3],
] as const;

/** A lane, the destination's own, and a shift; lanes are unsigned. */
type Shift = (a: bigint, by: bigint, width: number, old: bigint, saturate: Saturate) => bigint;

const rounded = (value: bigint, by: bigint): bigint => (value + (1n << (by - 1n))) >> by;

/** Right shifts: U, opcode and what they do. */
const RIGHT: readonly (readonly [string, string, string, Shift])[] = [
  ['sshr', '0', '00000', (a, by, width) => s(a, width) >> by],
  ['ushr', '1', '00000', (a, by) => a >> by],
  ['ssra', '0', '00010', (a, by, width, old) => old + (s(a, width) >> by)],
  ['usra', '1', '00010', (a, by, _, old) => old + (a >> by)],
  ['srshr', '0', '00100', (a, by, width) => rounded(s(a, width), by)],
  ['urshr', '1', '00100', (a, by) => rounded(a, by)],
  ['srsra', '0', '00110', (a, by, width, old) => old + rounded(s(a, width), by)],
  ['ursra', '1', '00110', (a, by, _, old) => old + rounded(a, by)],
  ['sri', '1', '01000', (a, by, width, old) => (old & ~(ones(width) >> by)) | (a >> by)],
];

/** Left shifts; the saturating ones are scalars of every size. */
const LEFT: readonly (readonly [string, string, string, Shift, boolean])[] = [
  ['shl', '0', '01010', (a, by) => a << by, false],
  ['sli', '1', '01010', (a, by, _, old) => (old & ((1n << by) - 1n)) | (a << by), false],
  ['sqshlu', '1', '01100', (a, by, width, _, saturate) => saturate(s(a, width) << by, width, false), true],
  ['sqshl', '0', '01110', (a, by, width, _, saturate) => saturate(s(a, width) << by, width, true), true],
  ['uqshl', '1', '01110', (a, by, width, _, saturate) => saturate(a << by, width, false), true],
];

/** Right shifts of lanes twice as wide; those that saturate are scalars too. */
const NARROW: readonly (readonly [string, string, string, Shift, boolean])[] = [
  ['shrn', '0', '10000', (a, by) => a >> by, false],
  ['rshrn', '0', '10001', (a, by) => rounded(a, by), false],
  [
    'sqshrun',
    '1',
    '10000',
    (a, by, width, _, saturate) => saturate(s(a, 2 * width) >> by, width, false),
    true,
  ],
  [
    'sqrshrun',
    '1',
    '10001',
    (a, by, width, _, saturate) => saturate(rounded(s(a, 2 * width), by), width, false),
    true,
  ],
  ['sqshrn', '0', '10010', (a, by, width, _, saturate) => saturate(s(a, 2 * width) >> by, width, true), true],
  ['uqshrn', '1', '10010', (a, by, width, _, saturate) => saturate(a >> by, width, false), true],
  [
    'sqrshrn',
    '0',
    '10011',
    (a, by, width, _, saturate) => saturate(rounded(s(a, 2 * width), by), width, true),
    true,
  ],
  ['uqrshrn', '1', '10011', (a, by, width, _, saturate) => saturate(rounded(a, by), width, false), true],
];

/** `i` of the pattern is below the size's bit: a left shift, or what is missing to the width for a right one. */
const readShift =
  (log2Size: number, right: boolean) =>
  (f: Fields, i: Instruction): boolean => {
    i.kind = log2Size;
    i.sf = f('q') === 1;
    i.imm = BigInt(right ? (8 << log2Size) - f('i') : f('i'));
    return true;
  };

/** The lanes that an operation makes of a register's, all of the same width. */
function shiftLanes(cpu: Cpu, i: Instruction, operation: Shift, bits: number): void {
  cpu.checkFp();
  const width = 8 << i.kind;
  const old = lanesOf(readVector(cpu, i.d, bits), width, bits);
  const saturate = saturator(cpu);
  const result = lanesOf(readVector(cpu, i.n, bits), width, bits).map((lane, n) =>
    operation(lane, i.imm, width, old[n]!, saturate),
  );
  writeVector(cpu, i.d, fromLanes(result, width));
}

function sameWidth(
  name: string,
  u: string,
  opcode: string,
  operation: Shift,
  right: boolean,
  every: boolean,
): Row[] {
  return SIZES.flatMap(([immediate, log2Size]): Row[] => {
    const read = readShift(log2Size, right);
    const rows: Row[] = [
      {
        name,
        bits: `0q${u}011110${immediate}${opcode}1yyyyyxxxxx`,
        read: (f, i) => read(f, i) && (log2Size < 3 || i.sf),
        helper: (cpu, i) => shiftLanes(cpu, i, operation, i.sf ? 128 : 64),
      },
    ];
    if (!every && log2Size < 3) return rows;
    const scalar: Row = {
      name,
      bits: `01${u}111110${immediate}${opcode}1yyyyyxxxxx`,
      read,
      helper: (cpu, i) => shiftLanes(cpu, i, operation, 8 << log2Size),
    };
    return [...rows, scalar];
  });
}

/** Narrowed lanes go to the lower half, or with Q to the upper one, which leaves the lower. */
export function writeNarrow(cpu: Cpu, i: Instruction, lanes: readonly bigint[], width: number): void {
  const half = fromLanes(lanes, width);
  if (i.sf) writeVector(cpu, i.d, (half << 64n) | readVector(cpu, i.d, 64));
  else writeVector(cpu, i.d, half);
}

/** The lanes of the lower half, or with Q of the upper one. */
export const halfLanes = (cpu: Cpu, i: Instruction, register: number, width: number): bigint[] =>
  lanesOf(i.sf ? readVector(cpu, register) >> 64n : readVector(cpu, register, 64), width, 64);

const narrowRows = NARROW.flatMap(([name, u, opcode, operation, scalar]) =>
  SIZES.slice(0, 3).flatMap(([immediate, log2Size]): Row[] => {
    const width = 8 << log2Size;
    const read = readShift(log2Size, true);
    const narrowed = (cpu: Cpu, i: Instruction, bits: number) => {
      const saturate = saturator(cpu);
      return lanesOf(readVector(cpu, i.n, bits), 2 * width, bits).map(lane =>
        operation(lane, i.imm, width, 0n, saturate),
      );
    };
    const vector = (q: '0' | '1'): Row => ({
      name: q === '1' ? `${name}2` : name,
      bits: `0${q}${u}011110${immediate}${opcode}1yyyyyxxxxx`,
      read: (f, i) => {
        read(f, i);
        i.sf = q === '1';
        return true;
      },
      helper: (cpu, i) => {
        cpu.checkFp();
        writeNarrow(cpu, i, narrowed(cpu, i, 128), width);
      },
    });
    const rows = [vector('0'), vector('1')];
    if (!scalar) return rows;
    const scalarRow: Row = {
      name,
      bits: `01${u}111110${immediate}${opcode}1yyyyyxxxxx`,
      read,
      helper: (cpu, i) => {
        cpu.checkFp();
        writeVector(cpu, i.d, fromLanes(narrowed(cpu, i, 2 * width), width));
      },
    };
    return [...rows, scalarRow];
  }),
);

const longRows = (
  [
    ['sshll', '0', true],
    ['ushll', '1', false],
  ] as const
).flatMap(([name, u, signed]) =>
  SIZES.slice(0, 3).flatMap(([immediate, log2Size]) =>
    (['0', '1'] as const).map(
      (q): Row => ({
        name: q === '1' ? `${name}2` : name,
        bits: `0${q}${u}011110${immediate}101001yyyyyxxxxx`,
        read: (f, i) => {
          readShift(log2Size, false)(f, i);
          i.sf = q === '1';
          return true;
        },
        helper: (cpu, i) => {
          cpu.checkFp();
          const width = 8 << log2Size;
          const lanes = halfLanes(cpu, i, i.n, width).map(lane => (signed ? s(lane, width) : lane) << i.imm);
          writeVector(cpu, i.d, fromLanes(lanes, 2 * width));
        },
      }),
    ),
  ),
);

/** XTN and its saturating kin: U, opcode, and from which sign to which. */
const EXTRACT: readonly (readonly [
  string,
  string,
  string,
  (a: bigint, width: number, saturate: Saturate) => bigint,
])[] = [
  ['xtn', '0', '10010', a => a],
  ['sqxtun', '1', '10010', (a, width, saturate) => saturate(s(a, 2 * width), width, false)],
  ['sqxtn', '0', '10100', (a, width, saturate) => saturate(s(a, 2 * width), width, true)],
  ['uqxtn', '1', '10100', (a, width, saturate) => saturate(a, width, false)],
];

const extractRows = EXTRACT.flatMap(([name, u, opcode, operation]): Row[] => {
  const read =
    (q: boolean) =>
    (f: Fields, i: Instruction): boolean => {
      i.kind = f('h');
      i.sf = q;
      return i.kind < 3;
    };
  const narrowed = (cpu: Cpu, i: Instruction, bits: number) => {
    const width = 8 << i.kind;
    return lanesOf(readVector(cpu, i.n, bits), 2 * width, bits).map(lane =>
      operation(lane, width, saturator(cpu)),
    );
  };
  const vector = (q: '0' | '1'): Row => ({
    name: q === '1' ? `${name}2` : name,
    bits: `0${q}${u}01110hh10000${opcode}10yyyyyxxxxx`,
    read: read(q === '1'),
    helper: (cpu, i) => {
      cpu.checkFp();
      writeNarrow(cpu, i, narrowed(cpu, i, 128), 8 << i.kind);
    },
  });
  const rows = [vector('0'), vector('1')];
  if (name === 'xtn') return rows;
  const scalar: Row = {
    name,
    bits: `01${u}11110hh10000${opcode}10yyyyyxxxxx`,
    read: read(false),
    helper: (cpu, i) => {
      cpu.checkFp();
      writeVector(cpu, i.d, fromLanes(narrowed(cpu, i, 16 << i.kind), 8 << i.kind));
    },
  };
  return [...rows, scalar];
});

/** SHLL: by the width of a lane. */
const shiftLong = (['0', '1'] as const).map(
  (q): Row => ({
    name: q === '1' ? 'shll2' : 'shll',
    bits: `0${q}101110hh100001001110yyyyyxxxxx`,
    read: (f, i) => {
      i.kind = f('h');
      i.sf = q === '1';
      return i.kind < 3;
    },
    helper: (cpu, i) => {
      cpu.checkFp();
      const width = 8 << i.kind;
      const lanes = halfLanes(cpu, i, i.n, width).map(lane => lane << BigInt(width));
      writeVector(cpu, i.d, fromLanes(lanes, 2 * width));
    },
  }),
);

export const SIMD_SHIFT: readonly Row[] = [
  ...RIGHT.flatMap(([name, u, opcode, operation]) => sameWidth(name, u, opcode, operation, true, false)),
  ...LEFT.flatMap(([name, u, opcode, operation, every]) =>
    sameWidth(name, u, opcode, operation, false, every),
  ),
  ...narrowRows,
  ...longRows,
  ...extractRows,
  ...shiftLong,
];
