/** Every row of the decoder against what another emulator did with the same words (test/vectors). */
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Cpu } from '#lib/emulator/cpu/cpu.js';
import type { Row } from '#lib/emulator/cpu/instruction.js';
import { Machine } from '#lib/emulator/cpu/machine.js';
import { Ram } from '#lib/emulator/cpu/memory.js';
import { SP } from '#lib/emulator/cpu/state.js';
import {
  CODE,
  CODE_START,
  DATA,
  DATA_START,
  initialState,
  RAM_SIZE,
  ramWord,
  WINDOW,
} from '../vectors/state.ts';
import { keyOf, TESTED_ROWS } from '../vectors/words.ts';

const TABLES = 0x8000_0000;
const vectors = JSON.parse(
  brotliDecompressSync(readFileSync('test/vectors/instructions.json.br')).toString(),
) as Record<string, [number, number, string][]>;

const pattern = Uint32Array.from({ length: RAM_SIZE / 4 }, (_, index) => ramWord(index));
const data = new Ram(DATA_START / 4096, pattern.buffer.slice(0), 0, RAM_SIZE);
const code = new Ram(CODE_START / 4096, pattern.buffer.slice(0), 0, RAM_SIZE);
const tables = new Ram(TABLES / 4096, new ArrayBuffer(4096), 0, 4096);
const pristine = new Uint8Array(pattern.buffer);

const memory = {
  ram: (page: number) =>
    [data, code, tables].find(
      ({ firstPage, u8 }) => page >= firstPage && page < firstPage + u8.length / 4096,
    ),
};
const machine = new Machine({ memory, hasFeature: () => true });
const cpu = new Cpu(machine, { read: () => 'undefined', write: () => 'undefined' });

// Normal memory, so that accesses may be misaligned: data that EL0 may write, too (LDTR), and code that it may not.
const NORMAL_BLOCK = 0x701n;
const USER = 0x40n;
tables.u64[0] = NORMAL_BLOCK | USER;
tables.u64[1] = BigInt(CODE_START) | NORMAL_BLOCK;
Object.assign(cpu.state.hot, {
  ttbr0: BigInt(TABLES),
  tcr: 25n | (5n << 32n),
  mair: 0xffn,
  sctlr: 0x30d0_0801n,
  cpacr: 3n << 20n,
});

const READERS: Readonly<Record<string, (key: string) => bigint>> = {
  p: () => cpu.getPc(),
  x: key => cpu.x(Number(key.slice(1))),
  s: () => cpu.x(SP),
  n: () => BigInt(cpu.state.nzcv),
  v: key => {
    const at = 2 * Number(key.slice(1));
    return (cpu.state.v[at + 1]! << 64n) | cpu.state.v[at]!;
  },
  f: () => cpu.state.fpsr,
  m: key => BigInt(data.u8[Number.parseInt(key.slice(1), 16)]!),
};

/** The lines by which a vector differs from the run here. */
function run(row: Row, word: number, seed: number, expected: string): string[] {
  const start = initialState(row, word, seed);
  const changed = new Map(
    expected
      .split(' ')
      .filter(Boolean)
      .map(change => change.split('=') as [string, string]),
  );
  code.u32[(CODE - CODE_START) / 4] = word;
  machine.written(CODE, 4);
  start.x.forEach((value, n) => {
    cpu.setX(n, value);
  });
  start.v.forEach((value, n) => {
    cpu.state.v[2 * n] = value;
    cpu.state.v[2 * n + 1] = value >> 64n;
  });
  cpu.setX(SP, start.sp);
  cpu.state.nzcv = start.nzcv;
  cpu.state.fpcr = BigInt(start.fpcr);
  cpu.state.fpsr = 0n;
  cpu.setPc(start.pc);
  const exit = cpu.run(1);

  const differences: string[] = exit.reason === 'budget' ? [] : [`left: ${exit.reason}`];
  const compare = (key: string, initial: bigint) => {
    const wanted = changed.has(key) ? BigInt(`0x${changed.get(key)}`) : initial;
    const found = READERS[key[0]!]!(key);
    if (found !== wanted) differences.push(`${key} is ${found.toString(16)}, not ${wanted.toString(16)}`);
  };
  compare('pc', start.pc + 4n);
  compare('sp', start.sp);
  compare('nzcv', BigInt(start.nzcv));
  compare('fpsr', 0n);
  start.x.forEach((value, n) => {
    compare(`x${n}`, value);
  });
  start.v.forEach((value, n) => {
    compare(`v${n}`, value);
  });
  for (const key of changed.keys()) if (key.startsWith('m')) compare(key, 0n);
  // Nothing else was written: with what was expected put back, memory is as it began.
  const low = DATA - WINDOW;
  for (const key of changed.keys()) {
    const at = Number.parseInt(key.slice(1), 16);
    if (key.startsWith('m')) data.u8[at] = pristine[at]!;
  }
  const window = data.u8.subarray(low, DATA + WINDOW);
  if (Buffer.compare(window, pristine.subarray(low, DATA + WINDOW)) !== 0) {
    differences.push('other memory changed');
    window.set(pristine.subarray(low, DATA + WINDOW));
  }
  return differences;
}

describe('instructions do what they do in another emulator', () => {
  it.each(TESTED_ROWS.map(row => [keyOf(row), row] as const))('%s', (key, row) => {
    const cases = vectors[key];
    expect(cases?.length, 'vectors: node dist/test/vectors/generate.js').toBeGreaterThan(0);
    const failures = cases!.flatMap(([word, seed, expected]) =>
      run(row, word, seed, expected).map(line => `${word.toString(16).padStart(8, '0')} (${seed}): ${line}`),
    );
    expect(failures).toEqual([]);
  });
});
