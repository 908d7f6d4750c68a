/** Runs cases in machines that may hang or die: from outside, one machine after another, until each has its verdict. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { LabProcess } from '../lab.ts';
import type { CollectedCase } from './collect.ts';
import { type PortableError, piecesOf, revived, type Verdict } from './marks.ts';

/** The script that a machine runs. */
export const GUEST = fileURLToPath(new URL('./guest.js', import.meta.url));

/**
 * What a machine must do within a time, in milliseconds: boot and begin its first case; begin the next; end a case
 * that is beyond its own time limit. The guest keeps that limit itself, unless the case does not let go of its process.
 */
const LIMITS = { boot: 180_000, next: 30_000, end: 5_000 } as const;

/** Each boot takes its time, so not every case may cost one. */
const MOST_BOOTS = 3;

/** All that is known of a case in the end. */
interface Report extends Verdict {
  readonly stdout: string;
  readonly stderr: string;
}

/** A case, and the promise of its report. */
interface Pending {
  readonly one: CollectedCase;
  readonly report: Promise<Report>;
  /** The first call counts. */
  readonly settle: (report: Report) => void;
}

/**
 * A function that gives the verdict of each case; its first call starts the first machine.
 *
 * @param args - the arguments of {@link GUEST} that are always the same
 * @param start - starts a machine with all arguments
 */
export function inMachine(
  cases: readonly CollectedCase[],
  args: readonly string[],
  start: (args: readonly string[]) => Promise<LabProcess>,
): (one: CollectedCase) => Promise<string | undefined> {
  const all = cases.filter(({ skip }) => skip === undefined).map(pending);
  let started = false;
  return async one => {
    if (!started) void runMachines(all, args, start);
    started = true;
    const { stdout, stderr, error, skipped } = await all.find(({ one: { path } }) => path === one.path)!
      .report;
    if (stdout !== '') console.log(stdout.trimEnd());
    if (stderr !== '') console.error(stderr.trimEnd());
    if (error !== undefined) throw revived(error);
    return skipped;
  };
}

function pending(one: CollectedCase): Pending {
  let settle: Pending['settle'];
  const report = new Promise<Report>(resolve => {
    settle = resolve;
  });
  return { one, report, settle: settle! };
}

/** Settles every case. */
async function runMachines(
  all: readonly Pending[],
  args: readonly string[],
  start: (args: readonly string[]) => Promise<LabProcess>,
): Promise<void> {
  let rest = all;
  for (let boots = 0; boots < MOST_BOOTS && rest.length > 0; boots++) {
    const word = `kvm-arm64-${randomUUID()}`;
    try {
      const machine = await start([...args, String(all.length - rest.length), word]);
      rest = await runMachine(rest, machine, word);
    } catch (error) {
      failAll(rest, (error as Error).message);
      rest = [];
    }
  }
  failAll(rest, `not run: cases before it have brought down ${MOST_BOOTS} machines`);
}

/** Follows a machine to its end; returns the cases after the one that brought it down. */
async function runMachine(
  cases: readonly Pending[],
  machine: LabProcess,
  word: string,
): Promise<readonly Pending[]> {
  const caseOf = (path: string) => cases.find(({ one }) => one.path === path);
  const halves = new Map<string, Partial<Report>>();
  const add = (path: string, half: Partial<Report>) => {
    const report = { ...halves.get(path), ...half };
    halves.set(path, report);
    const { stdout, stderr } = report;
    if (stdout !== undefined && stderr !== undefined) caseOf(path)?.settle({ ...report, stdout, stderr });
  };

  let late: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const expect = (milliseconds: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      late = what;
      machine.kill();
    }, milliseconds);
  };

  let running: Pending | undefined;
  const readStdout = async () => {
    let output = '';
    expect(LIMITS.boot, `the machine has not begun within ${LIMITS.boot / 1000} s`);
    for await (const { text, mark } of piecesOf(machine.stdout, word)) {
      output += text;
      if (mark === undefined) break;
      const { path, verdict } = mark;
      if (verdict === undefined) {
        running = caseOf(path);
        const limit = running?.one.timeout ?? 0;
        expect(
          limit + LIMITS.end,
          `the case took longer than ${limit / 1000} s, and its machine was stopped`,
        );
      } else {
        running = undefined;
        add(path, { stdout: output, ...verdict });
        output = '';
        expect(LIMITS.next, 'the next case has not begun');
      }
    }
    return output;
  };
  const readStderr = async () => {
    for await (const { text, mark } of piecesOf(machine.stderr, word)) {
      if (mark === undefined) return text;
      add(mark.path, { stderr: text });
    }
    return '';
  };

  const exit = machine.exit.then(
    ({ status }) =>
      (inCase: boolean) =>
        inCase ? `the case ended its process (status ${status})` : `Node has ended with status ${status}`,
    (error: Error) => () => error.message,
  );
  const [end, stdout, stderr] = await Promise.all([exit, readStdout(), readStderr()]);
  clearTimeout(timer);
  const message = [late ?? end(running !== undefined), stderr.trimEnd()].join('\n').trimEnd();
  if (running === undefined) {
    failAll(cases, `the guest did not get to this case: ${message}`);
    return [];
  }
  running.settle({ stdout, stderr: halves.get(running.one.path)?.stderr ?? '', error: failure(message) });
  return cases.slice(cases.indexOf(running) + 1);
}

function failAll(cases: readonly Pending[], message: string): void {
  for (const { settle } of cases) settle({ stdout: '', stderr: '', error: failure(message) });
}

function failure(message: string): PortableError {
  return { name: 'Error', message, stack: `Error: ${message}` };
}
