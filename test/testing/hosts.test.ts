/** The hosts of `testOnHosts()`: their titles, and what becomes of those that are not there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { probe } from '#lib/index.js';
import { type TestHost, type TestOptions, testOnHosts } from '#lib/testing.js';
import { recordRunner } from './record-runner.ts';

const SUITE = new URL('../../dist/test/testing/fixtures/sample-suite.js', import.meta.url);

/** What is registered for hosts: the first test of each. */
async function firstTests(hosts: readonly TestHost[], options: Partial<TestOptions> = {}) {
  const runner = recordRunner();
  const { describe, it } = runner;
  await testOnHosts({ describe, it, suite: SUITE, hosts, ...options });
  return runner.tests.filter(({ title }, i, all) => {
    const [host] = title.split(' > ');
    return i === 0 || !all[i - 1]!.title.startsWith(`${host} > `);
  });
}

describe('a machine with nothing', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-test-'));
    vi.stubEnv('KVM_ARM64_CACHE', folder);
    vi.stubEnv('PATH', folder);
    vi.stubEnv('KVM_ARM64_REQUIRE', '');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  const NO_QEMU = 'qemu-system-aarch64 is not installed (Debian: apt-get install qemu-system-arm)';

  it('has the emulated hosts, by name and by profile', async () => {
    const profile = { ...loadHost('linux-6.12-max'), name: 'mine' };
    const tests = await firstTests(['linux-6.12-neoverse-n1', profile]);
    expect(tests.map(({ title, skip }) => ({ title, skip }))).toEqual([
      { title: 'linux-6.12-neoverse-n1 > passes', skip: false },
      { title: 'mine > passes', skip: false },
    ]);
  });

  it('skips the lab, with the machine and the reason in the title', async () => {
    const tests = await firstTests([
      { kernel: '6.12' },
      { kernel: '5.10', cpu: 'cortex-a57', gic: 2, mode: 'nvhe', memory: 1024, cpus: 1 },
    ]);
    expect(tests.map(({ title, skip }) => ({ title, skip }))).toEqual([
      { title: `Linux 6.12 on neoverse-n1 (skipped: ${NO_QEMU}) > passes`, skip: true },
      {
        title: `Linux 5.10 on cortex-a57, GICv2, nvhe, 1024 MiB, 1 CPUs (skipped: ${NO_QEMU}) > passes`,
        skip: true,
      },
    ]);
  });

  it('fails for the lab where that is required, with the reason', async () => {
    vi.stubEnv('KVM_ARM64_REQUIRE', 'host,lab');
    const [test] = await firstTests([{ kernel: '6.12' }]);
    expect(test).toMatchObject({
      title: 'Linux 6.12 on neoverse-n1 > is there, as KVM_ARM64_REQUIRE asks',
      skip: false,
    });
    await expect(test!.run()).rejects.toThrow(NO_QEMU);
  });

  it('is told of a kind of host that is none', async () => {
    vi.stubEnv('KVM_ARM64_REQUIRE', 'labs');
    const message = 'KVM_ARM64_REQUIRE knows lab and host, not labs';
    await expect(firstTests([{ kernel: '6.12' }])).rejects.toThrow(message);
  });

  it('is told of a machine of the lab that is none', async () => {
    const host = { kernel: '6.12', cpus: 1, cpuu: 'max' };
    await expect(firstTests([host])).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('cpu'),
    });
  });

  it('is told of a host to emulate that is none, with the nearest', async () => {
    await expect(firstTests(['linux-6.12-neoverse-n2'])).rejects.toMatchObject({
      code: 'ERR_BAD_PROFILE',
      message: expect.stringContaining('linux-6.12-neoverse-n1'),
    });
  });
});

it("skips this machine's KVM with the reason, where it has none", async () => {
  vi.stubEnv('KVM_ARM64_REQUIRE', '');
  const { usable, reason } = probe();
  const [test] = await firstTests(['native']);
  const title = usable ? 'native > passes' : `native (skipped: ${reason.replace(/\.$/, '')}) > passes`;
  expect(test).toMatchObject({ title, skip: !usable });
  vi.unstubAllEnvs();
});

/** Node has it since 22.10, with types stripped by default since 22.18. */
const runsTypeScript = Boolean(Reflect.get(process.features, 'typescript'));

describe('a suite that is none', () => {
  const reason = runsTypeScript ? ' (skipped: this Node runs TypeScript)' : '';
  it.skipIf(runsTypeScript)(`is refused in TypeScript, with what to do about it${reason}`, async () => {
    const suite = new URL('./fixtures/sample-suite.ts', import.meta.url);
    const message = `Node ${process.version} does not run ${suite}: name its compiled file, or use Node 22.18 or newer`;
    await expect(firstTests([], { suite })).rejects.toThrow(message);
  });

  it('is refused where it exports nothing of that name', async () => {
    const suite = new URL('./hosts.js', SUITE);
    await expect(firstTests([], { suite })).rejects.toThrow(`${suite} exports no function named suite`);
  });

  it('is refused where the options have a word that nobody knows', async () => {
    const options = { suit: SUITE } as Partial<TestOptions>;
    await expect(firstTests([], options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });
});
