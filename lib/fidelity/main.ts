/**
 * `npm run fidelity -- [--host NAME] [--seed S] [--calls N]`: holds a profile against the kernel that it was recorded
 * from, in the lab. With `--record` it keeps a trace of that kernel in `test/traces`; with `--mutate` it tells which
 * mistakes in the profile that trace would notice, and needs no kernel.
 *
 * @packageDocumentation
 */
import { parseArgs } from 'node:util';
import { DEFAULT_HOST, loadHost } from '../emulator/profile.ts';
import { runInLab } from '../lab/run.ts';
import type { Report } from './guest.ts';
import { machineOf } from './machines.ts';
import { tryMutations } from './mutation-run.ts';
import { formatMutations, formatReport } from './report.ts';
import { readTrace, writeTrace } from './trace.ts';

/** A call takes a few milliseconds of the emulated machine, on a busy one. */
const MS_PER_CALL = 20;
const BOOT_MS = 300_000;

/** What of this package runs in the guest. */
const PARTS = ['package.json', 'dist', 'prebuilds/linux-arm64'];

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: DEFAULT_HOST },
    seed: { type: 'string', default: '1' },
    calls: { type: 'string', default: '20000' },
    record: { type: 'boolean', default: false },
    mutate: { type: 'boolean', default: false },
    every: { type: 'string', default: '1' },
  },
});
const { host } = values;
const profile = loadHost(host);

/** Runs a script of this folder in the lab, and gives what it prints. */
async function ask(script: string, args: readonly string[], calls: number): Promise<string> {
  const timeoutMs = BOOT_MS + calls * MS_PER_CALL;
  const machine = machineOf(host);
  if (machine === undefined) throw new Error(`${host} was recorded on no machine of the lab`);
  const guest = await runInLab({
    ...machine,
    parts: PARTS,
    script: `dist/lib/fidelity/${script}`,
    args,
    timeoutMs,
  });
  if (guest.status !== 0) throw new Error(`the guest failed: ${guest.stderr}`);
  return guest.stdout.toString();
}

if (values.record) {
  writeTrace(host, await ask('trace-guest.js', [host], 100_000));
} else if (values.mutate) {
  const results = [...tryMutations(profile, readTrace(host), Number(values.every))];
  console.log(formatMutations(host, results));
  process.exitCode = results.some(({ verdict }) => verdict === 'missed') ? 1 : 0;
} else {
  const { seed, calls } = values;
  const report = JSON.parse(await ask('guest.js', [host, seed, calls], Number(calls))) as Report;
  console.log(formatReport(host, Number(seed), report));
  process.exitCode = report.differing === 0 ? 0 : 1;
}
