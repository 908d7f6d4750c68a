/**
 * Runs on an ARM machine, and holds its kernel against a profile: `node dist/lib/fidelity/guest.js HOST SEED CALLS`.
 * Both backends run here, so that a difference can be shrunk at once. Prints a {@link Report} as JSON.
 *
 * @packageDocumentation
 */
import { loadHost } from '../emulator/load-host.ts';
import { openEmulated } from '../emulator/system.ts';
import { openDevice } from '../native/open.ts';
import { probe } from '../native/probe.ts';
import { startWatchdog } from '../patience.ts';
import { compare, type Difference, isDifference, shrink } from './compare.ts';
import { Coverage, type CoverageSummary } from './coverage.ts';
import { sequences } from './generate.ts';

/** What a run found. */
export interface Report {
  readonly sequences: number;
  readonly calls: number;
  /** Shrunk, with the seed of the sequence; of the first few only. */
  readonly differences: readonly (Difference & { readonly seed: number })[];
  /** How many sequences had a difference. */
  readonly differing: number;
  readonly coverage: CoverageSummary;
}

/** More of them are seldom more news. */
const MAX_SHRUNK = 10;

const [host = '', seed = '', calls = ''] = process.argv.slice(2);
const profile = loadHost(host);
startWatchdog();
const found = probe();
const pair = { kernel: () => openDevice(found), emulated: () => openEmulated(profile) };
const coverage = new Coverage(profile);
const differences: (Difference & { readonly seed: number })[] = [];
const counts = { sequences: 0, calls: 0, differing: 0 };
for (const sequence of sequences(profile, Number(seed), Number(calls))) {
  const result = compare(pair, sequence.calls);
  counts.sequences++;
  counts.calls += sequence.calls.length;
  if (!isDifference(result)) {
    for (const [i, answer] of result.entries()) coverage.add(sequence.calls[i]!, answer);
    continue;
  }
  counts.differing++;
  if (differences.length < MAX_SHRUNK) {
    differences.push({ seed: sequence.seed, ...(shrink(pair, sequence.calls) ?? result) });
  }
}
const report: Report = { ...counts, differences, coverage: coverage.summary() };
process.stdout.write(JSON.stringify(report));
