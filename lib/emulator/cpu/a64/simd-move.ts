/** Vector moves (C4.1.96): between lanes and registers, immediates, permutations, tables. */
import { ones, replicate } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import { expandImmediate } from '../fp/arithmetic.ts';
import { DOUBLE, HALF, SINGLE } from '../fp/format.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { fromLanes, lanesOf, readVector, writeVector } from './vectors.ts';

/** imm5 of the copies: its lowest set bit is the lane size, the bits above are the lane. */
function readLane(f: Fields, i: Instruction): boolean {
  const imm5 = f('i');
  if ((imm5 & 0xf) === 0) return false;
  i.kind = 31 - Math.clz32(imm5 & -imm5);
  i.amount = imm5 >> (i.kind + 1);
  i.sf = f('q') === 1;
  return true;
}

const laneOf = (cpu: Cpu, register: number, log2Size: number, lane: number): bigint =>
  (readVector(cpu, register) >> BigInt(lane << (log2Size + 3))) & ones(8 << log2Size);

function setLane(cpu: Cpu, register: number, log2Size: number, lane: number, value: bigint): void {
  const at = BigInt(lane << (log2Size + 3));
  const mask = ones(8 << log2Size);
  writeVector(cpu, register, (readVector(cpu, register) & ~(mask << at)) | ((value & mask) << at));
}

const COPIES: readonly Row[] = [
  {
    name: 'dup',
    bits: '0q001110000iiiii000001yyyyyxxxxx',
    read: (f, i) => readLane(f, i) && (i.kind < 3 || i.sf),
    helper: (cpu, i) => {
      cpu.checkFp();
      const lane = laneOf(cpu, i.n, i.kind, i.amount);
      writeVector(cpu, i.d, replicate(lane, 8 << i.kind, i.sf ? 128 : 64));
    },
  },
  {
    name: 'dup',
    bits: '01011110000iiiii000001yyyyyxxxxx',
    read: readLane,
    helper: (cpu, i) => {
      cpu.checkFp();
      writeVector(cpu, i.d, laneOf(cpu, i.n, i.kind, i.amount));
    },
  },
  {
    name: 'dup',
    bits: '0q001110000iiiii000011nnnnnxxxxx',
    read: (f, i) => readLane(f, i) && (i.kind < 3 || i.sf),
    helper: (cpu, i) => {
      cpu.checkFp();
      const lane = BigInt.asUintN(8 << i.kind, cpu.x(i.n));
      writeVector(cpu, i.d, replicate(lane, 8 << i.kind, i.sf ? 128 : 64));
    },
  },
  {
    name: 'smov',
    bits: '0q001110000iiiii001011yyyyyddddd',
    read: (f, i) => readLane(f, i) && i.kind < (i.sf ? 3 : 2),
    helper: (cpu, i) => {
      cpu.checkFp();
      const value = BigInt.asIntN(8 << i.kind, laneOf(cpu, i.n, i.kind, i.amount));
      cpu.setX(i.d, BigInt.asUintN(i.sf ? 64 : 32, value));
    },
  },
  {
    name: 'umov',
    bits: '0q001110000iiiii001111yyyyyddddd',
    // X is for doublewords alone.
    read: (f, i) => readLane(f, i) && i.sf === (i.kind === 3),
    helper: (cpu, i) => {
      cpu.checkFp();
      cpu.setX(i.d, laneOf(cpu, i.n, i.kind, i.amount));
    },
  },
  {
    name: 'ins',
    bits: '01001110000iiiii000111nnnnnxxxxx',
    read: readLane,
    helper: (cpu, i) => {
      cpu.checkFp();
      setLane(cpu, i.d, i.kind, i.amount, cpu.x(i.n));
    },
  },
  {
    name: 'ins',
    bits: '01101110000iiiii0llll1yyyyyxxxxx',
    read: (f, i) => {
      i.condition = f('l');
      return readLane(f, i);
    },
    helper: (cpu, i) => {
      cpu.checkFp();
      setLane(cpu, i.d, i.kind, i.amount, laneOf(cpu, i.n, i.kind, i.condition >> i.kind));
    },
  },
];

/** AdvSIMDExpandImm: the byte by cmode, over 64 bits. */
function expand(cmode: number, op: number, byte: number): bigint {
  const imm = BigInt(byte);
  switch (cmode >> 1) {
    case 0:
    case 1:
    case 2:
    case 3:
      return replicate(imm << BigInt(8 * (cmode >> 1)), 32, 64);
    case 4:
    case 5:
      return replicate(imm << BigInt(8 * ((cmode >> 1) & 1)), 16, 64);
    case 6:
      return replicate(cmode & 1 ? (imm << 16n) | 0xffffn : (imm << 8n) | 0xffn, 32, 64);
    default:
      if (cmode === 14) {
        if (op === 0) return replicate(imm, 8, 64);
        return fromLanes(
          lanesOf(imm, 1, 8).map(bit => bit * 0xffn),
          8,
        );
      }
      return op === 0 ? replicate(expandImmediate(SINGLE, byte), 32, 64) : expandImmediate(DOUBLE, byte);
  }
}

type Combine = (old: bigint, imm: bigint) => bigint;

const set: Combine = (_, imm) => imm;
const setInverse: Combine = (_, imm) => ~imm;
const include: Combine = (old, imm) => old | imm;
const exclude: Combine = (old, imm) => old & ~imm;

/** By cmode and op: a pattern of the four and the one bit. */
const IMMEDIATE_FORMS: readonly (readonly [string, string, readonly string[], Combine])[] = [
  ['movi', '0', ['0cc0', '10c0', '110c', '1110'], set],
  ['movi', '1', ['1110'], set],
  ['mvni', '1', ['0cc0', '10c0', '110c'], setInverse],
  ['orr', '0', ['0cc1', '10c1'], include],
  ['bic', '1', ['0cc1', '10c1'], exclude],
  ['fmov', '0', ['1111'], set],
  ['fmov', '1', ['1111'], set],
];

const IMMEDIATES: readonly Row[] = [
  ...IMMEDIATE_FORMS.flatMap(([name, op, cmodes, combine]) =>
    cmodes.map(
      (cmode): Row => ({
        name,
        bits: `0q${op}0111100000aaa${cmode}01iiiiixxxxx`,
        read: (f, i) => {
          i.sf = f('q') === 1;
          const fixed = cmode.replace(/c+/, bits => f('c').toString(2).padStart(bits.length, '0'));
          const half = expand(Number(`0b${fixed}`), Number(op), f('a') * 32 + f('i'));
          i.imm = i.sf ? replicate(half, 64, 128) : half;
          // FMOV of doublewords needs both.
          return !(name === 'fmov' && op === '1') || i.sf;
        },
        helper: (cpu, i) => {
          cpu.checkFp();
          const bits = i.sf ? 128 : 64;
          writeVector(cpu, i.d, BigInt.asUintN(bits, combine(readVector(cpu, i.d, bits), i.imm)));
        },
      }),
    ),
  ),
  {
    name: 'fmov',
    bits: '0q00111100000aaa111111iiiiixxxxx',
    feature: 'FP16',
    read: (f, i) => {
      i.imm = replicate(expandImmediate(HALF, f('a') * 32 + f('i')), 16, f('q') ? 128 : 64);
      return true;
    },
    helper: (cpu, i) => {
      cpu.checkFp();
      writeVector(cpu, i.d, i.imm);
    },
  },
];

const readSize = (f: Fields, i: Instruction): boolean => {
  i.kind = f('h');
  i.sf = f('q') === 1;
  return i.kind < 3 || i.sf;
};

/** Which lanes of both operands, one after the other, make the result: `half` is how many lanes one has, halved. */
const PERMUTATIONS: Readonly<Record<string, readonly [string, (lane: number, half: number) => number]>> = {
  uzp1: ['001', lane => 2 * lane],
  uzp2: ['101', lane => 2 * lane + 1],
  trn1: ['010', (lane, half) => (lane & ~1) + (lane & 1) * 2 * half],
  trn2: ['110', (lane, half) => (lane | 1) + (lane & 1) * 2 * half],
  zip1: ['011', (lane, half) => (lane >> 1) + (lane & 1) * 2 * half],
  zip2: ['111', (lane, half) => half + (lane >> 1) + (lane & 1) * 2 * half],
};

const PERMUTES: readonly Row[] = [
  ...Object.entries(PERMUTATIONS).map(
    ([name, [op, choose]]): Row => ({
      name,
      bits: `0q001110hh0zzzzz0${op}10yyyyyxxxxx`,
      read: readSize,
      helper: (cpu, i) => {
        cpu.checkFp();
        const [width, bits] = [8 << i.kind, i.sf ? 128 : 64];
        const lanes = [i.n, i.m].flatMap(register => lanesOf(readVector(cpu, register, bits), width, bits));
        const half = lanes.length / 4;
        const result = Array.from({ length: 2 * half }, (_, lane) => lanes[choose(lane, half)]!);
        writeVector(cpu, i.d, fromLanes(result, width));
      },
    }),
  ),
  {
    name: 'ext',
    bits: '0q101110000zzzzz0iiii0yyyyyxxxxx',
    read: (f, i) => {
      i.sf = f('q') === 1;
      i.amount = 8 * f('i');
      return i.sf || f('i') < 8;
    },
    helper: (cpu, i) => {
      cpu.checkFp();
      const bits = i.sf ? 128 : 64;
      const both = (readVector(cpu, i.m, bits) << BigInt(bits)) | readVector(cpu, i.n, bits);
      writeVector(cpu, i.d, BigInt.asUintN(bits, both >> BigInt(i.amount)));
    },
  },
  ...(['tbl', 'tbx'] as const).map(
    (name): Row => ({
      name,
      bits: `0q001110000zzzzz0ll${name === 'tbl' ? 0 : 1}00yyyyyxxxxx`,
      read: (f, i) => {
        i.sf = f('q') === 1;
        i.amount = f('l') + 1;
        return true;
      },
      helper: (cpu, i) => {
        cpu.checkFp();
        const bits = i.sf ? 128 : 64;
        const table = Array.from({ length: i.amount }, (_, n) =>
          lanesOf(readVector(cpu, (i.n + n) % 32), 8, 128),
        ).flat();
        const old = lanesOf(readVector(cpu, i.d, bits), 8, bits);
        const result = lanesOf(readVector(cpu, i.m, bits), 8, bits).map(
          (index, lane) => table[Number(index)] ?? (name === 'tbl' ? 0n : old[lane]!),
        );
        writeVector(cpu, i.d, fromLanes(result, 8));
      },
    }),
  ),
];

export const SIMD_MOVE: readonly Row[] = [...COPIES, ...IMMEDIATES, ...PERMUTES];
