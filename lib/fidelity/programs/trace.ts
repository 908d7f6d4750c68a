/**
 * What became of programs on a real kernel, in short: a digest of each part of an outcome. Replaying them needs no kernel; to
 * see what a kernel did, `npm run fidelity -- --guests --seed S --programs 1` asks it again.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadHost } from '../../emulator/load-host.ts';
import { comparedText } from './compare.ts';
import { ProgramGenerator } from './generate.ts';
import { emulatedGround } from './grounds.ts';
import { formatProgram, type Program } from './program.ts';
import { formatOutcome, type Outcome } from './run-program.ts';

/** Parts of an outcome: exits, and of the changes those of general registers, of vectors, of memory, and all others. */
const PARTS = ['exits', 'general', 'vectors', 'memory', 'others'] as const;

const PART_OF_CHANGE: readonly (readonly [RegExp, (typeof PARTS)[number]])[] = [
  [/^(?:X\d+|SP|PC|PSTATE)=/, 'general'],
  [/^(?:V\d+|FPCR|FPSR)=/, 'vectors'],
  [/^memory/, 'memory'],
];

/** In the place of digests of a program of which less is compared now than when it ran. */
const NOT_KEPT = '-';

/** Characters of each digest: 18 bits. */
const DIGEST = 3;

const digest = (text: string): string => createHash('sha256').update(text).digest('base64').slice(0, DIGEST);

/** What is kept of an outcome, as far as it is compared. */
function abridged(line: string, program: Program, emulated: Outcome): string {
  const compared = comparedText(line, program, emulated).split('; ');
  const isWhole = compared.length === line.split('; ').length;
  const changes = isWhole ? compared.pop()!.split(' ') : [];
  const partOf = (change: string) =>
    PART_OF_CHANGE.find(([pattern]) => pattern.test(change))?.[1] ?? 'others';
  return PARTS.map(part =>
    digest(
      part === 'exits' ? compared.join('; ') : changes.filter(change => partOf(change) === part).join(' '),
    ),
  ).join('');
}

/** A program that does not do any more what it did on the kernel. */
export interface ProgramDeparture {
  readonly seed: number;
  readonly program: string;
  readonly now: string;
  /** Where it differs. */
  readonly parts: readonly string[];
}

function traceFile(host: string): string {
  return fileURLToPath(new URL(`../../../../test/traces/programs/${host}.txt`, import.meta.url));
}

/** Keeps what a kernel did with the programs of the seeds 1, 2, … in this checkout. */
export async function writeProgramTrace(host: string, outcomes: AsyncIterable<string>): Promise<void> {
  const { generator, ground } = worldOf(host);
  const lines: string[] = [];
  for await (const line of outcomes) {
    const program = generator.program(lines.length + 1);
    lines.push(abridged(line, program, ground.run(program)));
  }
  writeFileSync(traceFile(host), `${lines.join('\n')}\n`);
}

function worldOf(host: string) {
  const profile = loadHost(host);
  return { generator: new ProgramGenerator(profile), ground: emulatedGround(profile) };
}

/** Runs the programs of a host's trace, and tells which of them went otherwise. */
export function* programDepartures(host: string): Generator<ProgramDeparture> {
  const { generator, ground } = worldOf(host);
  const lines = readFileSync(traceFile(host), 'utf8').trimEnd().split('\n');
  for (const [index, line] of lines.entries()) {
    const seed = index + 1;
    const program = generator.program(seed);
    const outcome = ground.run(program);
    const now = abridged(formatOutcome(outcome), program, outcome);
    if (now === line || line === NOT_KEPT) continue;
    const parts = PARTS.filter(
      (_, n) => now.slice(DIGEST * n, DIGEST * (n + 1)) !== line.slice(DIGEST * n, DIGEST * (n + 1)),
    );
    yield { seed, program: formatProgram(program), now: formatOutcome(outcome), parts };
  }
}
