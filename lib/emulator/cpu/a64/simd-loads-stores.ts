/** Loads and stores of vector registers (C4.1.94). */
import { signed64 } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import type { Instruction, Row } from '../instruction.ts';
import { bigEndian, translateData } from '../memory-access.ts';
import type { Fields } from '../pattern.ts';
import { ADDRESS, scratch } from '../scratch.ts';
import { ZERO } from '../state.ts';
import {
  atLiteral,
  atOffset,
  atRegisterOffset,
  readLiteral,
  readOffset,
  readRegisterOffset,
} from './loads-stores.ts';
import { readVector, writeVector } from './vectors.ts';

/** A quadword whose halves are aligned may be misaligned itself. */
function checkQuadword(cpu: Cpu, kind: 'read' | 'write'): void {
  const address = scratch[ADDRESS]!;
  if ((address & 8n) !== 0n) translateData(cpu, address, kind, 16);
}

/** Loads what the address has next, of 1 to 16 bytes; a quadword in two pieces. */
function load(cpu: Cpu, bytes: number): bigint {
  switch (bytes) {
    case 1:
      return cpu.load8();
    case 2:
      return cpu.load16();
    case 4:
      return cpu.load32();
    case 8:
      return cpu.load64();
    default: {
      checkQuadword(cpu, 'read');
      const first = cpu.load64();
      cpu.next(8);
      const second = cpu.load64();
      return bigEndian(cpu) ? (first << 64n) | second : (second << 64n) | first;
    }
  }
}

function store(cpu: Cpu, bytes: number, value: bigint): void {
  const low = BigInt.asUintN(64, value);
  if (bytes === 1) cpu.store8(low);
  else if (bytes === 2) cpu.store16(low);
  else if (bytes === 4) cpu.store32(low);
  else if (bytes === 8) cpu.store64(low);
  else {
    checkQuadword(cpu, 'write');
    const [first, second] = bigEndian(cpu) ? [value >> 64n, low] : [low, value >> 64n];
    cpu.store64(first);
    cpu.next(8);
    cpu.store64(second);
  }
}

/** By size and the upper bit of opc. */
const WIDTHS = [
  ['00', '0', 1],
  ['01', '0', 2],
  ['10', '0', 4],
  ['11', '0', 8],
  ['00', '1', 16],
] as const;

const KINDS = [
  ['ld', '1', (cpu: Cpu, i: Instruction, bytes: number) => writeVector(cpu, i.d, load(cpu, bytes))],
  ['st', '0', (cpu: Cpu, i: Instruction, bytes: number) => store(cpu, bytes, readVector(cpu, i.d))],
] as const;

const SINGLE: readonly Row[] = WIDTHS.flatMap(([size, opc, bytes]) =>
  KINDS.flatMap(([kind, l, move]): Row[] => {
    const log2Size = Math.log2(bytes);
    const opening = (indexed: string) => `${size}11110${indexed}${opc}${l}`;
    return [
      {
        name: `${kind}r`,
        bits: `${opening('1')}iiiiiiiiiiiiNNNNNxxxxx`,
        read: (f, i) => {
          i.imm = BigInt(f('i')) << BigInt(log2Size);
          return true;
        },
        helper: (cpu, i) => {
          cpu.checkFp();
          atOffset(cpu, i);
          move(cpu, i, bytes);
        },
      },
      {
        name: `${kind}ur`,
        bits: `${opening('0')}0iiiiiiiii00NNNNNxxxxx`,
        read: readOffset,
        helper: (cpu, i) => {
          cpu.checkFp();
          atOffset(cpu, i);
          move(cpu, i, bytes);
        },
      },
      {
        name: `${kind}r`,
        bits: `${opening('0')}0iiiiiiiii01NNNNNxxxxx`,
        read: readOffset,
        helper: (cpu, i) => {
          cpu.checkFp();
          const base = cpu.base(i.n);
          cpu.at(base);
          move(cpu, i, bytes);
          cpu.setX(i.n, cpu.add(base, i.imm));
        },
      },
      {
        name: `${kind}r`,
        bits: `${opening('0')}0iiiiiiiii11NNNNNxxxxx`,
        read: readOffset,
        helper: (cpu, i) => {
          cpu.checkFp();
          const address = cpu.add(cpu.base(i.n), i.imm);
          cpu.at(address);
          move(cpu, i, bytes);
          cpu.setX(i.n, address);
        },
      },
      {
        name: `${kind}r`,
        bits: `${opening('0')}1mmmmmoooh10NNNNNxxxxx`,
        read: readRegisterOffset(log2Size),
        helper: (cpu, i) => {
          cpu.checkFp();
          atRegisterOffset(cpu, i);
          move(cpu, i, bytes);
        },
      },
    ];
  }),
);

const LITERALS: readonly Row[] = (
  [
    ['00', 4],
    ['01', 8],
    ['10', 16],
  ] as const
).map(
  ([opc, bytes]): Row => ({
    name: 'ldr',
    bits: `${opc}011100iiiiiiiiiiiiiiiiiiixxxxx`,
    read: readLiteral,
    helper: (cpu, i) => {
      cpu.checkFp();
      atLiteral(cpu, i);
      writeVector(cpu, i.d, load(cpu, bytes));
    },
  }),
);

const loadPair = (cpu: Cpu, i: Instruction, bytes: number): void => {
  const first = load(cpu, bytes);
  cpu.next(Math.min(bytes, 8));
  writeVector(cpu, i.a, load(cpu, bytes));
  writeVector(cpu, i.d, first);
};

const storePair = (cpu: Cpu, i: Instruction, bytes: number): void => {
  store(cpu, bytes, readVector(cpu, i.d));
  cpu.next(Math.min(bytes, 8));
  store(cpu, bytes, readVector(cpu, i.a));
};

const PAIRS: readonly Row[] = (
  [
    ['00', 4],
    ['01', 8],
    ['10', 16],
  ] as const
).flatMap(([opc, bytes]) =>
  (
    [
      ['ld', '1', loadPair],
      ['st', '0', storePair],
    ] as const
  ).flatMap(([kind, l, move]): Row[] => {
    const bits = (mode: string) => `${opc}1011${mode}${l}iiiiiiipppppNNNNNxxxxx`;
    const read = (f: Fields, i: Instruction): undefined => {
      i.imm = BigInt.asUintN(64, signed64(f('i'), 7) * BigInt(bytes));
    };
    const offset = (cpu: Cpu, i: Instruction): void => {
      cpu.checkFp();
      atOffset(cpu, i);
      move(cpu, i, bytes);
    };
    return [
      { name: `${kind}np`, bits: bits('000'), read, helper: offset },
      { name: `${kind}p`, bits: bits('010'), read, helper: offset },
      {
        name: `${kind}p`,
        bits: bits('001'),
        read,
        helper: (cpu, i) => {
          cpu.checkFp();
          const base = cpu.base(i.n);
          cpu.at(base);
          move(cpu, i, bytes);
          cpu.setX(i.n, cpu.add(base, i.imm));
        },
      },
      {
        name: `${kind}p`,
        bits: bits('011'),
        read,
        helper: (cpu, i) => {
          cpu.checkFp();
          const address = cpu.add(cpu.base(i.n), i.imm);
          cpu.at(address);
          move(cpu, i, bytes);
          cpu.setX(i.n, address);
        },
      },
    ];
  }),
);

/** LD1 to LD4, ST1 to ST4 of whole registers: by opcode, how many registers and how many are interleaved. */
const MULTIPLE = [
  ['4', '0000', 4, 4],
  ['1', '0010', 4, 1],
  ['3', '0100', 3, 3],
  ['1', '0110', 3, 1],
  ['1', '0111', 1, 1],
  ['2', '1000', 2, 2],
  ['1', '1010', 2, 1],
] as const;

/** One lane of a register between memory and `width` bits at lane `n`. */
function moveLane(cpu: Cpu, isLoad: boolean, register: number, lane: number, bytes: number): void {
  const { v } = cpu.state;
  const width = BigInt(8 * bytes);
  const at = 2 * register + ((lane * bytes) >> 3);
  const shift = BigInt((lane * bytes) & 7) * 8n;
  if (isLoad) {
    const mask = ((1n << width) - 1n) << shift;
    v[at] = (v[at]! & ~mask) | (load(cpu, bytes) << shift);
  } else store(cpu, bytes, v[at]! >> shift);
  cpu.next(bytes);
}

/** After the access: the base moves on by a register, or, where that is 31, by what was accessed. */
function writeBack(cpu: Cpu, i: Instruction, base: bigint, bytes: number): void {
  const by = i.m === ZERO ? BigInt(bytes) : cpu.x(i.m);
  cpu.setX(i.n, cpu.add(base, by));
}

function multiple(cpu: Cpu, i: Instruction, isLoad: boolean, registers: number, interleaved: number): void {
  cpu.checkFp();
  const base = cpu.base(i.n);
  cpu.at(base);
  const bytes = 1 << i.kind;
  const lanes = (i.sf ? 16 : 8) / bytes;
  const register = (n: number) => (i.d + n) % 32;
  for (let first = 0; first < registers; first += interleaved)
    for (let lane = 0; lane < lanes; lane++)
      for (let n = 0; n < interleaved; n++) moveLane(cpu, isLoad, register(first + n), lane, bytes);
  if (isLoad && !i.sf) for (let n = 0; n < registers; n++) cpu.state.v[2 * register(n) + 1] = 0n;
  if (i.amount === 1) writeBack(cpu, i, base, registers * lanes * bytes);
}

const STRUCTURES: readonly Row[] = MULTIPLE.flatMap(([name, opcode, registers, interleaved]) =>
  (['ld', 'st'] as const).flatMap((kind): Row[] => {
    const read =
      (post: 0 | 1) =>
      (f: Fields, i: Instruction): boolean => {
        i.kind = f('h');
        i.sf = f('q') === 1;
        i.amount = post;
        // One doubleword does not interleave.
        return interleaved === 1 || i.kind < 3 || i.sf;
      };
    const l = kind === 'ld' ? '1' : '0';
    const helper = (cpu: Cpu, i: Instruction) => multiple(cpu, i, kind === 'ld', registers, interleaved);
    return [
      { name: kind + name, bits: `0q0011000${l}000000${opcode}hhNNNNNxxxxx`, read: read(0), helper },
      { name: kind + name, bits: `0q0011001${l}0mmmmm${opcode}hhNNNNNxxxxx`, read: read(1), helper },
    ];
  }),
);

/** LD1 to LD4 of one lane of each register, and LDnR, which fill all lanes. The lane is part of Q:S:size. */
function readLane(f: Fields, i: Instruction, scale: number): boolean {
  const index = f('q') * 8 + f('e') * 4 + f('h');
  i.sf = f('q') === 1;
  if (scale === 3) {
    i.kind = f('h');
    return f('e') === 0;
  }
  if (scale === 1 && index & 1) return false;
  if (scale === 2 && (index & 2 || (index & 1 && index & 4))) return false;
  i.kind = scale === 2 && index & 1 ? 3 : scale;
  i.offset = index >> i.kind;
  return true;
}

function oneLane(
  cpu: Cpu,
  i: Instruction,
  isLoad: boolean,
  registers: number,
  all: boolean,
  post: boolean,
): void {
  cpu.checkFp();
  const base = cpu.base(i.n);
  cpu.at(base);
  const bytes = 1 << i.kind;
  for (let n = 0; n < registers; n++) {
    const register = (i.d + n) % 32;
    if (all) {
      const element = load(cpu, bytes);
      cpu.next(bytes);
      let value = 0n;
      for (let at = 0; at < (i.sf ? 16 : 8); at += bytes) value |= element << BigInt(8 * at);
      writeVector(cpu, register, value);
    } else moveLane(cpu, isLoad, register, i.offset, bytes);
  }
  if (post) writeBack(cpu, i, base, registers * bytes);
}

/** R of the encoding and the lowest bit of the opcode say how many registers; the opcode's upper bits, of what. */
const LANES: readonly Row[] = [1, 2, 3, 4].flatMap(registers => {
  const r = registers % 2 === 0 ? '1' : '0';
  const low = registers > 2 ? '1' : '0';
  return (['00', '01', '10', '11'] as const).flatMap(scale =>
    (['ld', 'st'] as const).flatMap((kind): Row[] => {
      const all = scale === '11';
      if (all && kind === 'st') return [];
      const l = kind === 'ld' ? '1' : '0';
      const name = `${kind}${registers}${all ? 'r' : ''}`;
      const read = (f: Fields, i: Instruction): boolean => readLane(f, i, Number(`0b${scale}`));
      const helper = (post: boolean) => (cpu: Cpu, i: Instruction) =>
        oneLane(cpu, i, kind === 'ld', registers, all, post);
      return [
        {
          name,
          bits: `0q0011010${l}${r}00000${scale}${low}ehhNNNNNxxxxx`,
          read,
          helper: helper(false),
        },
        { name, bits: `0q0011011${l}${r}mmmmm${scale}${low}ehhNNNNNxxxxx`, read, helper: helper(true) },
      ];
    }),
  );
});

export const SIMD_LOAD_STORE: readonly Row[] = [...SINGLE, ...LITERALS, ...PAIRS, ...STRUCTURES, ...LANES];
