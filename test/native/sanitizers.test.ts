import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { addonPath, node, noX86Guests, ROOT, unlessX86Guests, withAddon } from './support.ts';

const CHILD = join(ROOT, 'dist/test/native/abuse-child.js');
const RUNNING = join(ROOT, 'test/native/fixtures/running.mjs');
const RACE = join(ROOT, 'test/native/fixtures/race.mjs');

withAddon('a batch whose ids change while it runs', () => {
  test('reads and writes within its arrays', async () => {
    const { code, stdout, stderr } = await node([RACE, addonPath]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { answered, refused, caught } = JSON.parse(stdout);
    expect(answered + refused + caught).toBeGreaterThanOrEqual(2000);
  });
});

/** Where the compiler keeps a sanitizer's library; its bare name where it has none. */
const library = (name: string) =>
  spawnSync('g++', [`-print-file-name=${name}.so`], { encoding: 'utf8' }).stdout?.trim() ?? '';
const LIBRARIES = ['libasan', 'libubsan'].map(library);

const reason =
  process.platform !== 'linux'
    ? 'not Linux'
    : !LIBRARIES.every(path => path.startsWith('/'))
      ? 'no sanitizers: g++ with libasan and libubsan'
      : spawnSync('cmake', ['--version']).error
        ? 'no cmake'
        : !existsSync(CHILD) && 'not compiled: npm run build';

describe.skipIf(reason)(`under the sanitizers${reason ? ` [skipped: ${reason}]` : ''}`, () => {
  const built = join(ROOT, 'build-asan/Release/kvm_arm64.node');
  // Node itself leaks at exit, by design.
  const env = {
    LD_PRELOAD: LIBRARIES.join(' '),
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };

  beforeAll(() => {
    execFileSync('npm', ['run', 'build:asan'], { cwd: ROOT, stdio: 'pipe' });
  }, 300_000);

  test('abuse leaves no report', { timeout: 120_000 }, async () => {
    const { code, stdout, stderr } = await node([CHILD, built], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+ cases hold\n$/);
  });

  test('changing ids leave no report', { timeout: 120_000 }, async () => {
    const { code, stdout, stderr } = await node([RACE, built], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\{"answered":\d+,"refused":\d+,"caught":\d+\}\n$/);
  });

  // On an x86 KVM, whose guests the fixture has.
  test.skipIf(noX86Guests).each([
    ['close', 0],
    ['terminate', 0],
    ['exit', 7],
  ])(`vCPUs that run leave no report: %s${unlessX86Guests}`, { timeout: 60_000 }, async (mode, end) => {
    const { code, stderr } = await node([RUNNING, built, mode], env);
    expect({ code, stderr }).toEqual({ code: end, stderr: '' });
  });

  test('an error would be seen', async () => {
    // Otherwise silence proves nothing: without the preloaded library the addon cannot even be loaded.
    const { code, stderr } = await node([CHILD, built]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/ASan runtime does not come first|undefined symbol: __asan/);
  });
});
