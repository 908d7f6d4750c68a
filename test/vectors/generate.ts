/**
 * Makes `instructions.json.br`: what an independent emulator does with random words of every row of the decoder, in
 * random states. `npm run -s build && node dist/test/vectors/generate.js`, where python3-unicorn is installed.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';
import type { Row } from '#lib/emulator/cpu/instruction.js';
import {
  CODE,
  CODE_START,
  DATA,
  DATA_START,
  initialState,
  type MachineState,
  RAM_SIZE,
  ramWord,
  WINDOW,
} from './state.ts';
import { keyOf, TESTED_ROWS, wordsOf } from './words.ts';

const PER_ROW = 12;

interface Case {
  readonly row: Row;
  readonly word: number;
  readonly seed: number;
  readonly state: MachineState;
}

interface Answer {
  readonly error?: string;
  readonly pc: string;
  readonly x: string[];
  readonly sp: string;
  readonly nzcv: number;
  readonly v: string[];
  readonly fpsr: number;
  readonly memory: Record<string, number>;
}

const hex = (values: bigint[]) => values.map(value => value.toString(16));

const cases: Case[] = TESTED_ROWS.flatMap((row, rowIndex) =>
  wordsOf(row, PER_ROW, rowIndex + 1).map((word, n) => {
    const seed = 1000 * rowIndex + n;
    return { row, word, seed, state: initialState(row, word, seed) };
  }),
);

const ram = Buffer.alloc(RAM_SIZE);
for (let at = 0; at < RAM_SIZE; at += 4) ram.writeUInt32LE(ramWord(at / 4), at);

const { stdout, stderr, status } = spawnSync('/usr/bin/python3', ['test/vectors/unicorn-run.py'], {
  input: JSON.stringify({
    ram: ram.toString('hex'),
    starts: [DATA_START, CODE_START],
    code: CODE,
    data: DATA,
    window: WINDOW,
    cases: cases.map(({ word, state: { x, sp, nzcv, v, fpcr } }) => ({
      word,
      x: hex(x),
      sp: sp.toString(16),
      nzcv,
      v: hex(v),
      fpcr,
    })),
  }),
  encoding: 'utf8',
  maxBuffer: 2 ** 30,
});
if (status !== 0) throw new Error(stderr);
const answers = JSON.parse(stdout) as Answer[];

/** What an instruction changed, as name=value. */
function changes({ state }: Case, answer: Answer): string {
  const parts: string[] = [];
  const pc = Number(BigInt(`0x${answer.pc}`));
  if (pc !== CODE + 4) parts.push(`pc=${answer.pc}`);
  answer.x.forEach((value, n) => {
    if (BigInt(`0x${value}`) !== state.x[n]) parts.push(`x${n}=${value}`);
  });
  if (BigInt(`0x${answer.sp}`) !== state.sp) parts.push(`sp=${answer.sp}`);
  if (answer.nzcv !== state.nzcv) parts.push(`nzcv=${answer.nzcv.toString(16)}`);
  answer.v.forEach((value, n) => {
    if (BigInt(`0x${value}`) !== state.v[n]) parts.push(`v${n}=${value}`);
  });
  if (answer.fpsr !== 0) parts.push(`fpsr=${answer.fpsr.toString(16)}`);
  for (const [at, byte] of Object.entries(answer.memory))
    parts.push(`m${(DATA - WINDOW + Number(at)).toString(16)}=${byte.toString(16)}`);
  return parts.join(' ');
}

const vectors: Record<string, [number, number, string][]> = {};
const unknown = new Map<string, number>();
cases.forEach((each, index) => {
  const answer = answers[index]!;
  if (answer.error !== undefined) {
    unknown.set(each.row.name, (unknown.get(each.row.name) ?? 0) + 1);
    return;
  }
  const key = keyOf(each.row);
  vectors[key] ??= [];
  vectors[key].push([each.word, each.seed, changes(each, answer)]);
});

const text = JSON.stringify(vectors);
const packed = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
writeFileSync('test/vectors/instructions.json.br', packed);
const count = Object.values(vectors).reduce((sum, { length }) => sum + length, 0);
console.log(`${count} vectors of ${Object.keys(vectors).length} rows, ${packed.length} bytes`);
if (unknown.size > 0)
  console.log(`without an answer: ${[...unknown].map(([name, n]) => `${name} (${n})`).join(', ')}`);
