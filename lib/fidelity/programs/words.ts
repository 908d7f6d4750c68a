/**
 * Random instruction words: of every row of the decoder, next to one, and any.
 *
 * @packageDocumentation
 */

import { BRANCH } from '../../emulator/cpu/a64/branches.ts';
import { CHECKSUMS } from '../../emulator/cpu/a64/checksums.ts';
import { ATOMIC } from '../../emulator/cpu/a64/exclusives.ts';
import { FLAGS } from '../../emulator/cpu/a64/flags.ts';
import { FP } from '../../emulator/cpu/a64/fp.ts';
import { GAPS } from '../../emulator/cpu/a64/gaps.ts';
import { IMMEDIATE } from '../../emulator/cpu/a64/immediate.ts';
import { LOAD_STORE } from '../../emulator/cpu/a64/loads-stores.ts';
import { REGISTER } from '../../emulator/cpu/a64/register.ts';
import { SIMD_FP } from '../../emulator/cpu/a64/simd-fp.ts';
import { SIMD_FP_UNARY } from '../../emulator/cpu/a64/simd-fp-unary.ts';
import { SIMD_INTEGER } from '../../emulator/cpu/a64/simd-integer.ts';
import { SIMD_LOAD_STORE } from '../../emulator/cpu/a64/simd-loads-stores.ts';
import { SIMD_LONG } from '../../emulator/cpu/a64/simd-long.ts';
import { SIMD_MISC } from '../../emulator/cpu/a64/simd-misc.ts';
import { SIMD_MOVE } from '../../emulator/cpu/a64/simd-move.ts';
import { SIMD_SHIFT } from '../../emulator/cpu/a64/simd-shift.ts';
import { rowOf } from '../../emulator/cpu/decode.ts';
import type { Row } from '../../emulator/cpu/instruction.ts';
import { fieldsOf, type Pattern, parsePattern } from '../../emulator/cpu/pattern.ts';
import type { Random } from '../random.ts';
import { isTried } from './not-compared.ts';
import { systemWord } from './system-words.ts';

/** General registers by what the programs use them for, so that addresses stay some: data, addresses, indices. */
export const ADDRESSES = [16, 17, 18, 19, 20, 21, 22, 23] as const;
export const INDICES = [24, 25, 26, 27] as const;
const DATA = 16;

const GROUPS: readonly (readonly [number, readonly Row[]])[] = [
  [8, IMMEDIATE],
  [10, REGISTER],
  [1, CHECKSUMS],
  [1, FLAGS],
  [5, BRANCH],
  [16, LOAD_STORE],
  [8, ATOMIC],
  [6, FP],
  [9, SIMD_LOAD_STORE],
  [3, SIMD_MOVE],
  [5, SIMD_INTEGER],
  [3, SIMD_MISC],
  [4, SIMD_SHIFT],
  [4, SIMD_LONG],
  [4, SIMD_FP],
  [4, SIMD_FP_UNARY],
  [1, GAPS],
];

const patterns = new Map<Row, Pattern>();

function patternOf(row: Row): Pattern {
  let pattern = patterns.get(row);
  if (pattern === undefined) {
    pattern = parsePattern(row.bits);
    patterns.set(row, pattern);
  }
  return pattern;
}

const isMemory = ({ value, fields }: Pattern): boolean =>
  (value & 0x0a00_0000) === 0x0800_0000 && fields.has('N');

/** A word of a row. */
function wordOf(row: Row, random: Random, wordsToGo: number): number {
  const pattern = patternOf(row);
  const { mask, value, fields } = pattern;
  let word = ((random.u32() & ~mask) | value) >>> 0;
  const put = (letter: string, choose: (width: number) => number) => {
    const span = fields.get(letter);
    if (span === undefined) return;
    const ones = 2 ** span.width - 1;
    word = ((word & ~(ones << span.low)) | ((choose(span.width) & ones) << span.low)) >>> 0;
  };
  for (const letter of ['j', 'k']) put(letter, () => -1);
  for (const letter of ['d', 'D', 'u', 'S'])
    put(letter, () => (random.oneIn(8) ? random.below(32) : random.below(DATA)));
  // Branches go on, or the program would not end.
  if (!isMemory(pattern)) put('o', width => (width < 14 ? random.u32() : 1 + random.below(wordsToGo)));
  if (!isMemory(pattern)) return word;
  put('N', () =>
    random.weighted([
      [8, random.pick(ADDRESSES)],
      [2, 31],
      [1, random.below(32)],
    ]),
  );
  if (fields.has('o')) put('m', () => (random.oneIn(8) ? random.below(32) : random.pick(INDICES)));
  // Not far from there.
  if (!random.oneIn(8)) put('i', width => (width === 12 ? random.below(16) : random.below(32) - 16));
  return word;
}

/** Most are of some row; others differ from one in a bit, or are any. */
function anyWord(random: Random, profileRegisters: readonly number[], wordsToGo: number): number {
  const ofRow = () => wordOf(random.pick(random.weighted(GROUPS)), random, wordsToGo);
  return random.weighted<() => number>([
    [40, ofRow],
    [4, () => systemWord(random, profileRegisters)],
    [2, () => (ofRow() ^ (1 << random.below(32))) >>> 0],
    [2, () => random.u32()],
  ])();
}

/** Whether a word goes back in the program, of its own. */
function goesBack(word: number): boolean {
  const row = rowOf(word);
  if (row === undefined || !BRANCH.includes(row)) return false;
  const pattern = patternOf(row);
  const span = pattern.fields.get('o');
  if (span === undefined) return false;
  const offset = fieldsOf(pattern, word)('o');
  return offset === 0 || offset >= 2 ** (span.width - 1);
}

/** ADR of an instruction ahead, and a branch to it. */
function branchToRegister(random: Random, wordsToGo: number): number[] {
  const n = random.below(DATA);
  const offset = 1 + random.below(wordsToGo);
  const branch = random.pick([0xd61f_0000, 0xd63f_0000, 0xd65f_0000]);
  return [(0x1000_0000 | ((offset + 1) << 5) | n) >>> 0, (branch | (n << 5)) >>> 0];
}

/** So many words of a program for a CPU with these gaps. */
export function randomWords(
  length: number,
  random: Random,
  gaps: ReadonlySet<string>,
  registers: readonly number[],
): number[] {
  const words: number[] = [];
  while (words.length < length) {
    const wordsToGo = length - words.length;
    if (random.oneIn(60)) {
      words.push(...branchToRegister(random, wordsToGo));
      continue;
    }
    const word = anyWord(random, registers, wordsToGo);
    if (isTried(word, gaps) && !goesBack(word)) words.push(word);
  }
  return words;
}
