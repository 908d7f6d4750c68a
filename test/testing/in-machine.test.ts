/** Cases in machines that hang and die; the machines here are processes, with the same streams. */
import { spawn } from 'node:child_process';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  type MockInstance,
  vi,
} from 'vitest';
import { Kvm } from '#lib/index.js';
import { LabError, type LabProcess } from '#lib/lab.js';
import { type CollectedCase, casesOf, collect } from '#lib/testing/collect.js';
import { GUEST, inMachine } from '#lib/testing/in-machine.js';
import { loadSuite } from '#lib/testing/load-suite.js';

const fixture = (name: string) => new URL(`../../dist/test/testing/fixtures/${name}.js`, import.meta.url);

let machines: number;

/** Runs the guest's script as a process. */
async function start(args: readonly string[]): Promise<LabProcess> {
  machines++;
  const child = spawn(process.execPath, [GUEST, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<{ status: number; bootMs: number; scriptMs: number }>((resolve, reject) => {
    child.once('close', status => {
      if (status === null) reject(new LabError('ERR_LAB_CRASHED', 'the machine ended'));
      else resolve({ status, bootMs: 0, scriptMs: 0 });
    });
  });
  return { stdout: child.stdout, stderr: child.stderr, exit, kill: () => void child.kill('SIGKILL') };
}

async function casesIn(address: URL): Promise<CollectedCase[]> {
  return casesOf(collect(await loadSuite(address), Kvm.open, 5_000));
}

/** How each case of a suite went: its error, the reason why it skipped itself, or undefined. */
async function outcomes(cases: readonly CollectedCase[], address: URL | string, startMachine = start) {
  const run = inMachine(cases, [String(address), '5000'], startMachine);
  const ends: Record<string, unknown> = {};
  for (const one of cases.filter(({ skip }) => skip === undefined)) {
    ends[one.title] = await run(one).catch((error: unknown) => error);
  }
  return ends;
}

describe('cases that hang and die', () => {
  let printed: Record<'log' | 'error', MockInstance>;
  let ends: Record<string, unknown>;

  beforeAll(async () => {
    machines = 0;
    printed = { log: vi.spyOn(console, 'log'), error: vi.spyOn(console, 'error') };
    for (const mock of Object.values(printed)) mock.mockReturnValue(undefined);
    const suite = fixture('deadly-suite');
    ends = await outcomes(await casesIn(suite), suite);
  }, 60_000);
  afterAll(() => {
    vi.restoreAllMocks();
  });

  it('have a verdict each, and those between them are not harmed', () => {
    const messages = Object.entries(ends).map(([title, end]) => [
      title,
      end instanceof Error ? end.message : end,
    ]);
    expect(messages).toEqual([
      ['fails', 'as it should'],
      ['throws no error', 'thrown: 42'],
      ['hangs', 'the case took longer than 0.05 s'],
      ['skips itself', 'too hot'],
      ['ends the process', 'the case ended its process (status 3)\nlast words'],
      ['prints a lot', undefined],
      ['blocks the process', 'the case took longer than 0.05 s, and its machine was stopped'],
      ['passes', undefined],
      ['kills the process', 'the machine ended'],
      ['comes too late', 'not run: cases before it have brought down 3 machines'],
    ]);
    expect(machines).toBe(3);
  });

  it('bring back the name and the stack of their error', () => {
    expect(ends['fails']).toMatchObject({ name: 'AssertionError' });
    expect((ends['fails'] as Error).stack).toMatch(
      /^AssertionError.*: as it should\n +at .*deadly-suite\.js:/,
    );
  });

  it('have printed here what they printed there', () => {
    const [log, error] = [printed.log, printed.error].map(({ mock }) => mock.calls.flat());
    expect(log).toEqual(['one line', 'x'.repeat(1_000_000)]);
    expect(error).toEqual(['no line', 'x'.repeat(1_000_000)]);
  });
});

describe('a machine that gets to no case', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });
  beforeEach(() => {
    machines = 0;
  });

  it('fails them all where it does not start, and is not tried again', async () => {
    const suite = fixture('sample-suite');
    const ends = await outcomes(await casesIn(suite), suite, () => {
      machines++;
      throw new LabError('ERR_LAB_UNAVAILABLE', 'no initrd');
    });
    expect(new Set(Object.values(ends).map(String))).toEqual(new Set(['Error: no initrd']));
    expect(machines).toBe(1);
  });

  it('fails them all where the suite cannot be loaded there, with the reason', async () => {
    const ends = await outcomes(await casesIn(fixture('sample-suite')), 'file:///no/suite.js');
    for (const end of Object.values(ends)) {
      expect(String(end)).toMatch(
        /^Error: the guest did not get to this case: Node has ended with status 1\n[\s\S]*ERR_MODULE_NOT_FOUND/,
      );
    }
    expect(machines).toBe(1);
  });

  it('fails those that the suite registers here alone', async () => {
    vi.spyOn(console, 'log').mockReturnValue(undefined);
    const suite = fixture('sample-suite');
    const [passes] = await casesIn(suite);
    const ends = await outcomes([passes!, { ...passes!, title: 'only here', path: 'only here' }], suite);
    expect(ends).toEqual({
      passes: undefined,
      'only here': new Error('the guest did not get to this case: Node has ended with status 0'),
    });
  });
});
