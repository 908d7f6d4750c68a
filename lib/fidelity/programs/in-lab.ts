/**
 * Holds an emulated host against its kernel, program for program: the kernel runs them in the lab, the emulated host here.
 *
 * @packageDocumentation
 */
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { GAPS } from '../../emulator/cpu/a64/gaps.ts';
import { ROWS } from '../../emulator/cpu/a64/rows.ts';
import { rowOf } from '../../emulator/cpu/decode.ts';
import type { Row } from '../../emulator/cpu/instruction.ts';
import { loadHost } from '../../emulator/load-host.ts';
import { startLab } from '../../lab/run.ts';
import { machineOf } from '../machines.ts';
import { compareOutcomes, formatProgramTest, type ProgramDifference } from './compare.ts';
import { ProgramGenerator } from './generate.ts';
import { emulatedGround } from './grounds.ts';

/** What of this package runs in the guest. */
const PARTS = ['package.json', 'dist', 'prebuilds/linux-arm64'];
const BOOT_MS = 300_000;
/** A program takes a few milliseconds of the emulated machine, on a busy one. */
const MS_PER_PROGRAM = 100;
/** Shrinking one is some hundred programs. */
const MS_PER_SHRINK = 60_000;
/** More of them are seldom more news. */
const MAX_SHRUNK = 10;

/** With the seed of the program. */
type Found = ProgramDifference & { readonly seed: number };

/** What a run found. */
export interface ProgramReport {
  readonly programs: number;
  /** In the programs; which of them were executed depends on their branches. */
  readonly instructions: number;
  readonly rows: { readonly of: number; readonly tried: number };
  /** Shrunk, of the first few only. */
  readonly differences: readonly Found[];
  /** How many programs had a difference. */
  readonly differing: number;
}

/** Runs a script of this folder on the machine of a host, line by line of what it prints. */
async function* linesOf(host: string, script: string, args: readonly (string | number)[], timeoutMs: number) {
  const lab = await startLab({
    ...machineOf(host),
    parts: PARTS,
    script: `dist/lib/fidelity/programs/${script}`,
    args: [host, ...args.map(String)],
    timeoutMs: BOOT_MS + timeoutMs,
  });
  const stderr = buffer(lab.stderr);
  lab.exit.catch(() => {}); // told at the end
  yield* createInterface({ input: lab.stdout });
  const { status } = await lab.exit;
  if (status !== 0) throw new Error(`the guest failed: ${await stderr}`);
}

/** The kernel's outcomes of the programs from a seed on, in lines. */
export function kernelOutcomes(host: string, seed: number, programs: number): AsyncGenerator<string> {
  return linesOf(host, 'answers-guest.js', [seed, programs], programs * MS_PER_PROGRAM);
}

/** Tries programs from a seed on. */
export async function comparePrograms(host: string, seed: number, programs: number): Promise<ProgramReport> {
  const profile = loadHost(host);
  const generator = new ProgramGenerator(profile);
  const ground = emulatedGround(profile);
  const rows = new Set<Row | undefined>();
  const found: Found[] = [];
  let instructions = 0;
  let next = seed;
  for await (const kernel of kernelOutcomes(host, seed, programs)) {
    const program = generator.program(next);
    instructions += program.words.length;
    for (const word of program.words) rows.add(rowOf(word));
    const difference = compareOutcomes(program, kernel, ground.run(program));
    if (difference !== undefined) found.push({ seed: next, ...difference });
    next++;
  }
  if (next !== seed + programs) throw new Error(`the guest ran ${next - seed} of ${programs} programs`);
  const executed = ROWS.filter(row => !GAPS.includes(row));
  return {
    programs,
    instructions,
    rows: { of: executed.length, tried: executed.filter(row => rows.has(row)).length },
    differences: await shrunk(host, found.slice(0, MAX_SHRUNK)),
    differing: found.length,
  };
}

async function shrunk(host: string, found: readonly Found[]): Promise<Found[]> {
  const shorter: Found[] = [];
  if (found.length === 0) return shorter;
  const seeds = found.map(({ seed }) => seed);
  for await (const line of linesOf(host, 'shrink-guest.js', seeds, seeds.length * MS_PER_SHRINK))
    shorter.push(JSON.parse(line) as Found);
  // One that does not show by itself is told as it was.
  return found.map(one => shorter.find(({ seed }) => seed === one.seed) ?? one);
}

/** Host, programs, differences, and each difference as a test. */
export function formatProgramReport(host: string, seed: number, report: ProgramReport): string {
  const { programs, instructions, rows, differing, differences } = report;
  return [
    `${host}: seeds ${seed} to ${seed + programs - 1}, ${instructions} instructions, ${rows.tried} of ${rows.of} kinds; ${differing} programs differ`,
    ...differences.flatMap(difference => [
      '',
      `// seed ${difference.seed}: emulated, ${difference.emulated}`,
      formatProgramTest(host, difference),
    ]),
  ].join('\n');
}
