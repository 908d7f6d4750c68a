/**
 * The machine that the vectors run in, and the state that each begins with: derived from a seed, so that a vector needs
 * to keep only what its instruction changes.
 */
import type { Row } from '#lib/emulator/cpu/instruction.js';
import { type Fields, fieldsOf, parsePattern } from '#lib/emulator/cpu/pattern.js';

/** RAM for data and for code, of the same size. */
export const DATA_START = 0;
export const CODE_START = 0x4000_0000;
export const RAM_SIZE = 0x40_0000;
/** Where the instruction is. */
export const CODE = CODE_START + 0x20_0000;
/** Where loads and stores go, and how far around that they may reach. */
export const DATA = 0x10_0000;
export const WINDOW = 0x1_0000;

export interface MachineState {
  pc: bigint;
  x: bigint[];
  sp: bigint;
  nzcv: number;
  /** V0-V31, 128 bits each. */
  v: bigint[];
  fpcr: number;
  fpsr: number;
}

/** Pseudo-random numbers below 2^32 that are the same everywhere: xorshift. */
export function random(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e37_79b1) ^ 0x5bd1_e995) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** What RAM holds: each word differs from its neighbours. */
export const ramWord = (index: number): number => (Math.imul(index, 0x9e37_79b1) ^ (index << 7)) >>> 0;

const INTEGERS = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_8000_0000n,
  0xffff_ffff_ffff_fffen,
  0xffff_ffff_ffff_ffffn,
];

/** Zeroes, ones, denormals, the largest, infinities, NaNs of both kinds, values near the edges of integers. */
const DOUBLES = [
  0n,
  0x8000_0000_0000_0000n,
  0x3ff0_0000_0000_0000n,
  0xbff0_0000_0000_0000n,
  0x3ff8_0000_0000_0000n,
  0x0000_0000_0000_0001n,
  0x800f_ffff_ffff_ffffn,
  0x0010_0000_0000_0000n,
  0x7fef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_1234n,
  0x7ff0_0000_0000_0001n,
  0x43e0_0000_0000_0000n,
  0x41ef_ffff_fff0_0000n,
  0x3fdf_ffff_ffff_ffffn,
];
const SINGLES = [
  0n,
  0x8000_0000n,
  0x3f80_0000n,
  0xbf80_0000n,
  0x3fc0_0000n,
  0x0000_0001n,
  0x807f_ffffn,
  0x0080_0000n,
  0x7f7f_ffffn,
  0x7f80_0000n,
  0xff80_0000n,
  0x7fc0_1234n,
  0x7f80_0001n,
  0x5f00_0000n,
  0x4f7f_ffffn,
  0x3eff_ffffn,
];
/** Rounding modes, flush to zero, default NaN. */
const CONTROLS = [0, 0, 0x40_0000, 0x80_0000, 0xc0_0000, 0x100_0000, 0x200_0000];

function stateGenerator(seed: number) {
  const next = random(seed);
  const pick = <T>(values: readonly T[]): T => values[next() % values.length]!;
  const word = () => (BigInt(next()) << 32n) | BigInt(next());
  const integer = () => (next() % 4 === 0 ? pick(INTEGERS) : word());
  /** Of a size that arithmetic with others of its kind rounds. */
  const single = () => (BigInt(next() % 2) << 31n) | BigInt(0x3f00_0000 + (next() % 0x100_0000));
  const double = () => (BigInt(next() % 2) << 63n) | (BigInt(0x3fa + (next() % 12)) << 52n) | (word() >> 12n);
  const half = (): bigint => {
    const kind = next() % 6;
    if (kind === 0) return pick(DOUBLES);
    if (kind === 1) return (pick(SINGLES) << 32n) | pick(SINGLES);
    if (kind === 2) return (single() << 32n) | single();
    if (kind === 3) return double();
    if (kind === 4) return pick(INTEGERS);
    return word();
  };
  return { next, pick, integer, half };
}

/** Whether a word accesses memory by a base register: its class of encodings has 1 and 0 in bits 27 and 25. */
const isMemory = (row: Row): boolean => {
  const { value, fields } = parsePattern(row.bits);
  return (value & 0x0a00_0000) === 0x0800_0000 && fields.has('N');
};

/** The state in which a word of a row starts. */
export function initialState(row: Row, word: number, seed: number): MachineState {
  const { next, pick, integer, half } = stateGenerator(seed);
  const state: MachineState = {
    pc: BigInt(CODE),
    x: Array.from({ length: 31 }, integer),
    sp: BigInt(DATA + 16 * (next() % 64)),
    nzcv: next() % 16,
    v: Array.from({ length: 32 }, () => (half() << 64n) | half()),
    fpcr: pick(CONTROLS),
    fpsr: 0,
  };
  const pattern = parsePattern(row.bits);
  const f = fieldsOf(pattern, word);
  if (!isMemory(row)) return state;
  const aligned = pattern.fields.has('j') || pattern.fields.has('S') || row.feature !== undefined ? 16 : 1;
  // An ordered access with an offset is aligned by both together.
  const offset = row.feature === 'LRCPC2' ? -(f('i') & 15) : 0;
  if (offset !== 0 && f('N') === 31) state.sp += BigInt(offset + 16);
  if (f('N') !== 31) state.x[f('N')] = BigInt(DATA + aligned * (next() % 64) + offset);
  const [, sign] = /^ld([su])m(?:ax|in)/.exec(row.name) ?? [];
  if (sign !== undefined) avoidWrongComparison(state, f, 8 << (word >>> 30), sign === 's');
  // A register offset stays near: backwards too, but for UXTW, which cannot.
  const index = pattern.fields.has('o') ? 'm' : pattern.fields.has('X') ? 'X' : undefined;
  if (index !== undefined && f(index) !== 31) {
    const near = BigInt(next() % 512);
    state.x[f(index)] = f('o') !== 2 && next() % 2 ? BigInt.asUintN(64, -near) : near;
  }
  return state;
}

/**
 * Unicorn 2.0.1 compares whole registers with what it loads without a sign, where LDSMAX and the like are narrower: so
 * operands are extended, and what memory has is not negative. Unit tests have the rest.
 */
function avoidWrongComparison(state: MachineState, f: Fields, bits: number, signed: boolean): void {
  const extend = signed ? BigInt.asIntN : BigInt.asUintN;
  if (f('m') !== 31) state.x[f('m')] = BigInt.asUintN(64, extend(bits, state.x[f('m')]!));
  let address = Number(f('N') === 31 ? state.sp : state.x[f('N')]!);
  const isNegative = () => bits < 64 && (ramWord(address / 4) >>> (bits - 1)) & 1;
  while (signed && isNegative()) address += 16;
  if (f('N') === 31) state.sp = BigInt(address);
  else state.x[f('N')] = BigInt(address);
}
