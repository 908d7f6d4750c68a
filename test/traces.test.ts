/** The emulated hosts answer as real kernels did, result for result; and these traces would show it if they did not. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { HOSTS } from '#lib/emulator/profile.js';
import { openEmulated } from '#lib/emulator/system.js';
import { formatCall } from '#lib/fidelity/calls.js';
import { tryMutations } from '#lib/fidelity/mutation-run.js';
import { departures, readTrace } from '#lib/fidelity/trace.js';

/** Of all mutations of a profile; `npm run fidelity -- --mutate` tries each. */
const EVERY = 197;

const TRACED = HOSTS.filter(host => readdirSync('test/traces').includes(`${host}.br`));

it('there is a trace of the default host', () => {
  expect(TRACED).toContain('linux-6.12-neoverse-n1');
});

describe.each(TRACED)('%s', host => {
  const trace = readTrace(host);

  it('answers every call of its trace as its kernel did', () => {
    expect(trace.length).toBeGreaterThan(100);
    const found = [...departures(() => openEmulated(host), trace)];
    expect(found.map(({ calls, ...answers }) => ({ calls: calls.map(formatCall), ...answers }))).toEqual([]);
  });

  it('would be told from its kernel if a value of its profile were another', { timeout: 240_000 }, () => {
    const results = [...tryMutations(loadHost(host), trace, (_, i) => i % EVERY === 0)];
    expect(results.filter(({ verdict }) => verdict === 'missed')).toEqual([]);
    expect(results.filter(({ verdict }) => verdict === 'noticed').length).toBeGreaterThan(
      results.length * 0.5,
    );
  });
});
