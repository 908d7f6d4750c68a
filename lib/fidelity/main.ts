/**
 * `npm run fidelity`: holds profiles against the kernels that they were recorded from; {@link HELP} says how.
 *
 * @packageDocumentation
 */
import { parseArgs } from 'node:util';
import { loadHost } from '../emulator/load-host.ts';
import { DEFAULT_HOST, RECORDED_HOSTS } from '../emulator/profile.ts';
import { runInLab } from '../lab/run.ts';
import type { Report } from './guest.ts';
import { machineOf } from './machines.ts';
import { tryMutations } from './mutation-run.ts';
import { comparePrograms, formatProgramReport, kernelOutcomes } from './programs/in-lab.ts';
import { writeProgramTrace } from './programs/trace.ts';
import { formatMutations, formatReport } from './report.ts';
import { readTrace, writeTrace } from './trace.ts';

/** A call takes a few milliseconds of the emulated machine, on a busy one. */
const MS_PER_CALL = 20;
const BOOT_MS = 300_000;

/** What of this package runs in the guest. */
const PARTS = ['package.json', 'dist', 'prebuilds/linux-arm64'];

const HELP = `usage: npm run fidelity -- [--host NAME|all]... [--seed S] [--calls N] [--record | --mutate [--every N]]
       npm run fidelity -- --guests [--host NAME|all]... [--seed S] [--programs N] [--record]

Makes the same random calls on a host's kernel, in the lab, and on its emulation, and tells where the answers differ.
With --guests it has guests of both run the same random programs.

  --host NAME   a recorded host, once or more often; all of them: all; default: ${DEFAULT_HOST}
  --seed S      where the random sequences begin; default: 1
  --calls N     how many calls at least; default: 20000
  --programs N  how many programs; default: 2000
  --record      instead keep a trace of the kernel in test/traces, which npm test replays; of seeds from 1 on
  --mutate      instead tell which mistakes in the profile its trace would notice; needs no kernel
  --every N     of the mutations of registers, try each N-th; default: 1`;

function wrongUsage(message: string): never {
  console.error(`${message}; see npm run fidelity -- --help`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      options: {
        host: { type: 'string', multiple: true, default: [DEFAULT_HOST] },
        seed: { type: 'string', default: '1' },
        calls: { type: 'string', default: '20000' },
        guests: { type: 'boolean', default: false },
        programs: { type: 'string', default: '2000' },
        record: { type: 'boolean', default: false },
        mutate: { type: 'boolean', default: false },
        every: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return wrongUsage((error as Error).message.split('\n')[0]!.replace(/\.$/, ''));
  }
}

const values = parse();

/** The value of an option that counts. */
function count(name: 'seed' | 'calls' | 'programs' | 'every'): number {
  const value = Number(values[name]);
  return Number.isSafeInteger(value) && value > 0
    ? value
    : wrongUsage(`--${name} takes a number above 0; got ${JSON.stringify(values[name])}`);
}

/** Runs a script of this folder on the machine of a host, and gives what it prints. */
async function ask(host: string, script: string, args: readonly string[], calls: number): Promise<string> {
  const timeoutMs = BOOT_MS + calls * MS_PER_CALL;
  const guest = await runInLab({
    ...machineOf(host),
    parts: PARTS,
    script: `dist/lib/fidelity/${script}`,
    args: [host, ...args],
    timeoutMs,
  });
  if (guest.status !== 0) throw new Error(`the guest failed: ${guest.stderr}`);
  return guest.stdout.toString();
}

/** @returns whether the host is as its kernel */
async function compareHost(host: string): Promise<boolean> {
  const [seed, calls] = [count('seed'), count('calls')];
  const report = JSON.parse(await ask(host, 'guest.js', [`${seed}`, `${calls}`], calls)) as Report;
  console.log(formatReport(host, seed, report));
  return report.differing === 0;
}

/** @returns whether the host's guests are as its kernel's */
async function compareGuests(host: string): Promise<boolean> {
  if (values.record) {
    await writeProgramTrace(host, kernelOutcomes(host, 1, count('programs')));
    return true;
  }
  const seed = count('seed');
  const report = await comparePrograms(host, seed, count('programs'));
  console.log(formatProgramReport(host, seed, report));
  return report.differing === 0;
}

/** Parts of a profile with thousands of values, of which a sample may do. */
const IN_THOUSANDS = /^(?:registers|configurations)\./;

/** @returns whether its trace notices every mistake that can be noticed */
function mutateHost(host: string): boolean {
  const every = count('every');
  const isTried = (name: string, index: number) => !IN_THOUSANDS.test(name) || index % every === 0;
  const results = [...tryMutations(loadHost(host), readTrace(host), isTried)];
  console.log(formatMutations(host, results));
  return results.every(({ verdict }) => verdict !== 'missed');
}

const TRACE_CALLS = 100_000;

async function keepTrace(host: string): Promise<boolean> {
  writeTrace(host, await ask(host, 'trace-guest.js', [], TRACE_CALLS));
  return true;
}

if (values.help) {
  console.log(HELP);
} else {
  const hosts = values.host.flatMap(host => (host === 'all' ? RECORDED_HOSTS : [host]));
  const odd = hosts.find(host => !RECORDED_HOSTS.includes(host));
  if (odd !== undefined) {
    wrongUsage(
      `--host takes a host that was recorded in the lab, ${RECORDED_HOSTS.join(', ')}; got ${JSON.stringify(odd)}`,
    );
  }
  if (values.record && values.mutate) wrongUsage('--record and --mutate are two things to do');
  if (values.guests && values.mutate) wrongUsage('--guests and --mutate are two things to do');
  const work = values.guests
    ? compareGuests
    : values.record
      ? keepTrace
      : values.mutate
        ? mutateHost
        : compareHost;
  for (const host of hosts) if (!(await work(host))) process.exitCode = 1;
}
