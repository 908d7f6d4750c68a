/** Words to try of each row: random, allocated, and not CONSTRAINED UNPREDICTABLE. */
import { GAPS } from '#lib/emulator/cpu/a64/gaps.js';
import { ROWS } from '#lib/emulator/cpu/a64/rows.js';
import { isAllocated, rowOf } from '#lib/emulator/cpu/decode.js';
import type { Row } from '#lib/emulator/cpu/instruction.js';
import { fieldsOf, parsePattern } from '#lib/emulator/cpu/pattern.js';
import { random } from './state.ts';

const REGISTERS = [...'dDtnNmauvxyzpSX'];

/**
 * What should be one is one. Of a load or store no register is named twice: a base that is also transferred, or a
 * status register that is also an address, may do anything.
 */
function isPredictable(row: Row, word: number): boolean {
  const pattern = parsePattern(row.bits);
  const f = fieldsOf(pattern, word);
  if ((pattern.value & 0x0a00_0000) !== 0x0800_0000) return true;
  const used = REGISTERS.filter(letter => pattern.fields.has(letter)).map(f);
  return new Set(used).size === used.length;
}

export function wordsOf(row: Row, count: number, seed: number): number[] {
  const { mask, value, fields } = parsePattern(row.bits);
  const next = random(seed);
  const words: number[] = [];
  for (let tries = 0; words.length < count && tries < 200 * count; tries++) {
    let word = ((next() & ~mask) | value) >>> 0;
    for (const letter of ['j', 'k']) {
      const span = fields.get(letter);
      if (span !== undefined) word = (word | ((2 ** span.width - 1) << span.low)) >>> 0;
    }
    if (isAllocated(word) && rowOf(word) === row && isPredictable(row, word)) words.push(word);
  }
  return words;
}

/** Rows by a key that stays when others come and go. */
export const keyOf = (row: Row): string => `${row.name} ${row.bits}`;

/** Rows whose effect is not one of registers and memory: unit tests have them. */
const ELSEWHERE = new Set([
  ...['svc', 'hvc', 'smc', 'brk', 'hlt', 'dcps1', 'dcps2', 'dcps3', 'drps', 'eret', 'udf'],
  ...['hint', 'clrex', 'sb', 'msr', 'mrs', 'sys', 'sysl'],
]);

/** Rows that Unicorn 2.0.1 gets wrong: FCVTZS of a half leaves a sign above it. */
const WRONG = new Set(['fcvtzs 010111110001iiii111111yyyyyxxxxx']);

export const TESTED_ROWS: readonly Row[] = ROWS.filter(
  row => !ELSEWHERE.has(row.name) && !WRONG.has(keyOf(row)) && !GAPS.includes(row),
);
