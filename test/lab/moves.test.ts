/**
 * Guests that move between real kernels, and between those and recorded hosts: each ordered pair, as userspace finds them and
 * pinned to what both accept. Each kernel is booted twice, once to save all that leaves it, and once to load all that comes.
 * What becomes of each is held to what plans say of it, on the recorded host and on the kernel itself.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Kvm } from '#lib/emulator.js';
import { labStatus } from '#lib/lab/status.js';
import { UNPINNED } from '#lib/migration/tables-of-today.js';
import { baseline } from '#lib/state.js';
import {
  foretellOffline,
  type Job,
  KERNELS,
  type Loaded,
  loadAll,
  plain,
  type Saved,
  saveAll,
  type Travel,
} from './moves.ts';
import { BOOT, describeLab, runPackage } from './tier.ts';

const hosts: string[] = KERNELS.filter(({ kernel }) => labStatus(kernel).available).map(({ host }) => host);
const kernelOf = (host: string) => KERNELS.find(each => each.host === host)!.kernel;
const pairs = hosts.flatMap(from => hosts.map(to => [from, to] as const));
const others = pairs.filter(([from, to]) => from !== to);

const root = mkdtempSync(join(tmpdir(), 'kvm-arm64-moves-'));
const opened = new Map(hosts.map(host => [host, Kvm.open({ host })]));
afterAll(() => {
  for (const kvm of opened.values()) kvm.close();
  rmSync(root, { recursive: true });
});

/** Of a pair, whichever is first. */
const pairName = (a: string, b: string) => (a === b ? 'unpinned' : [a, b].toSorted().join('+'));
const UNPINNED_SETUP = 'unpinned';

/** A step on a kernel, or with an emulated one: files come out of a folder, and others into it. */
async function onKernel<Result>(
  action: 'save' | 'load',
  job: Job,
  inputs: readonly string[],
): Promise<Result> {
  const folder = join(root, `${action}-${job.host}`);
  const files = Object.fromEntries(inputs.map(input => [`moves/${basename(input)}`, input]));
  mkdirSync(folder);
  const { status, stdout, stderr } = await runPackage({
    kernel: kernelOf(job.host),
    cpu: 'max',
    script: 'dist/test/lab/moves-guest.js',
    args: [action, folder],
    files: { ...files, 'moves/job.json': Buffer.from(JSON.stringify(job)) },
    out: folder,
    timeoutMs: 2 * BOOT,
  });
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout.toString()) as Result;
}

describeLab('guests that move between kernels', () => {
  const saved = new Map<string, Saved>();
  const loaded = new Map<string, Loaded>();
  const fromEmulated = new Map<string, Saved>();
  const onEmulated = new Map<string, Loaded>();
  let jobs: Map<string, Job>;
  const real = join(root, 'real');
  const emulated = join(root, 'emulated');

  beforeAll(async () => {
    for (const folder of [real, emulated]) mkdirSync(folder);
    const common = new Map(
      others.map(([a, b]) => {
        const two = [a, b].toSorted().map(host => opened.get(host)!);
        return [pairName(a, b), baseline(two, { features: ['PSCI_0_2'] })];
      }),
    );
    holds = new Map([...common].map(([name, { spoilers }]) => [name, spoilers.length === 0]));
    jobs = new Map(
      hosts.map(host => {
        const setups = Object.fromEntries([
          [UNPINNED_SETUP, plain(UNPINNED)],
          ...[...common]
            .filter(([name]) => name.split('+').includes(host))
            .map(([name, setup]) => [name, plain(setup)]),
        ]);
        const guests = hosts.flatMap((from): Travel[] => [
          { from, setup: UNPINNED_SETUP },
          ...(from === host ? [] : [{ from, setup: pairName(from, host) }]),
        ]);
        return [
          host,
          {
            host,
            setups,
            guests,
            ticking: heldSources(host).map(from => ({ from, setup: pairName(from, host) })),
          },
        ];
      }),
    );
    for (const [host, job] of jobs) {
      saved.set(host, await onKernel('save', job, []));
      for (const name of readdirSync(join(root, `save-${host}`)).filter(each => each.endsWith('.state')))
        copyFileSync(join(root, `save-${host}`, name), join(real, name));
      fromEmulated.set(host, await saveAll(opened.get(host)!, job, emulated));
    }
    for (const [host, job] of jobs) {
      // Of real kernels, and the ticking one of this kernel as it is emulated.
      const wanted = [
        ...job.guests.map(travel => file(real, 'guest', travel)),
        ...job.ticking.map(travel => file(real, 'ticking', travel)),
      ];
      const own = `${host}-emulated.${UNPINNED_SETUP}.ticking.state`;
      copyFileSync(file(emulated, 'ticking', { from: host, setup: UNPINNED_SETUP }), join(emulated, own));
      const ticking = [...job.ticking, { from: `${host}-emulated`, setup: UNPINNED_SETUP }];
      loaded.set(host, await onKernel('load', { ...job, ticking }, [...wanted, join(emulated, own)]));
      const all = others
        .filter(([, to]) => to === host)
        .map(([from]) => ({ from, setup: pairName(from, host) }));
      const job2 = { ...job, guests: [], ticking: [{ from: host, setup: UNPINNED_SETUP }, ...all] };
      onEmulated.set(host, await loadAll(opened.get(host)!, job2, real));
    }
  }, 20 * BOOT);

  let holds: Map<string, boolean>;
  const file = (folder: string, kind: string, { from, setup }: Travel) =>
    join(folder, `${from}.${setup}.${kind}.state`);

  /** The hosts from which all that is pinned arrives. */
  const heldSources = (host: string) =>
    hosts.filter(from => from !== host && holds.get(pairName(from, host)) === true);

  it('what plans foretold is what happened, in every cell', () => {
    const count = { cells: 0, offline: 0, live: 0, loads: { unpinned: 0, pinned: 0 } };
    for (const [to, { guests }] of loaded) {
      for (const { refused, foretold, from, setup } of guests) {
        const happened = refused.toSorted();
        const offline = foretellOffline(opened.get(to)!, jobs.get(to)!, { from, setup }, real);
        count.cells++;
        expect(offline.sort(), `${from} to ${to}, ${setup}, by the recorded host`).toEqual(happened);
        count.offline++;
        expect(foretold.toSorted(), `${from} to ${to}, ${setup}, by the kernel`).toEqual(happened);
        count.live++;
        if (happened.length === 0) count.loads[setup === UNPINNED_SETUP ? 'unpinned' : 'pinned']++;
      }
    }
    expect(count.cells).toBe(pairs.length + others.length);
    console.log(
      `moves between ${hosts.length} real kernels: foretold ${count.offline} of ${count.cells} offline, ${count.live} live; loaded ${count.loads.unpinned} of ${pairs.length} unpinned, ${count.loads.pinned} of ${others.length} pinned`,
    );
  });

  it('pinned guests arrive wherever the baseline has no spoiler, with the version that they had', () => {
    const pinned = [...loaded].flatMap(([to, { guests }]) =>
      guests.filter(({ setup }) => setup !== UNPINNED_SETUP).map(guest => ({ to, ...guest })),
    );
    for (const { from, to, setup, refused, found } of pinned) {
      if (holds.get(setup)) expect(refused, `${from} to ${to}`).toEqual([]);
      if (refused.length === 0) expect(found).toBe(saved.get(from)!.found[setup]);
    }
    expect(pinned.some(({ refused }) => refused.length === 0)).toBe(true);
  });

  /** The reports go on where they were: ticks, the same version, in time, by the timer's interrupt alone. */
  function expectGoesOn(
    before: readonly string[],
    { error, reports }: Loaded['ticking'][number],
    what: string,
  ): void {
    expect(error, what).toBeUndefined();
    const version = before[1];
    const ticks = Number(before.at(-4));
    const report = (count: number) => [String(count), version, '1', String(2 ** 27)];
    expect(reports, what).toEqual([...report(ticks + 4), ...report(ticks + 8)]);
  }

  it.each([
    ['a real kernel to another', loaded, saved, ''],
    ['a real kernel to a recorded host', onEmulated, saved, ''],
    ['a recorded host to a real kernel', loaded, fromEmulated, '-emulated'],
  ] as const)('the ticking guest goes on: %s', (_, destinations, sources, ending) => {
    const moves = [...destinations].flatMap(([to, { ticking }]) => ticking.map(move => ({ to, ...move })));
    const pauses: number[] = [];
    let bytes = 0;
    for (const move of moves) {
      if (move.from.endsWith('-emulated') !== (ending !== '')) continue;
      const source = sources.get(move.from.replace('-emulated', ''))!.ticking[move.setup]!;
      if (holds.get(move.setup) === false && move.error !== undefined) {
        expect(move.error).toContain('ERR_WILL_NOT_LOAD');
        continue;
      }
      expectGoesOn(source.reports, move, `${move.from} to ${move.to}`);
      pauses.push(source.ms + move.ms);
      bytes = Math.max(bytes, source.bytes);
    }
    expect(pauses.length).toBeGreaterThan(1);
    const median = pauses.toSorted((a, b) => a - b)[pauses.length >> 1]!;
    console.log(`${pauses.length} moves: ${median.toFixed(0)} ms of pause (median), ${bytes} bytes at most`);
  });
});
