import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_HOST, HOSTS } from '#lib/emulator/profile.js';
import { ROOT } from '../native/support.ts';
import { cli } from './support.ts';

const NAME = 'linux-6.12-max-sve';
const profile = JSON.parse(readFileSync(`${ROOT}/lib/emulator/hosts/${NAME}.json`, 'utf8'));
let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-hosts-'));
  file = join(folder, 'mine.json');
  writeFileSync(file, JSON.stringify({ ...profile, name: 'mine' }));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('hosts', () => {
  test('lists those that the package has, with what tells them apart', async () => {
    const { code, stdout, stderr } = await cli('hosts');
    expect([code, stderr]).toEqual([0, '']);
    for (const host of HOSTS) expect(stdout).toMatch(new RegExp(`^${host.replaceAll('.', '\\.')} {2}`, 'm'));
    expect(stdout).toMatch(/^linux-6\.12-max-sve .*max \(QEMU TCG\) +to 1\.1 +52 .*\bSVE\b/m);
    expect(stdout).toMatch(/^linux-6\.12-cortex-a57 .* 44 +EL1_32BIT, PSCI_0_2, PMU_V3$/m);
    expect(stdout).toMatch(/^psci-feature-bit +4\.14 +modelled +no choice +40 .*\bFORCE_PSCI_0_2$/m);
    expect(stdout).toMatch(/^linux-4\.17-arm +4\.17 arm +modelled +to 1\.0 +40 +PSCI_0_2$/m);
    expect(stdout).toContain(`\nDefault: ${DEFAULT_HOST}\n`);
  });

  test('describes a modelled one by its rules, each with its source', async () => {
    const { stdout } = await cli('hosts linux-4.14');
    expect(stdout).toMatch(/^Kernel +4\.14$/m);
    expect(stdout).toMatch(/^Modelled after +linux-5\.10-cortex-a57$/m);
    expect(stdout).not.toMatch(/^Recorded/m);
    expect(stdout).toMatch(/^rawCore +true +core registers are any bytes of struct kvm_regs$/m);
    expect(stdout).toMatch(/^IPA bits +40$/m);
    expect(stdout).toMatch(/^401 +PSCI_0_2$/m);
    const [host] = JSON.parse((await cli('hosts linux-4.14 --json')).stdout).hosts;
    expect(host).toMatchObject({
      machine: 'modelled',
      basis: 'linux-5.10-cortex-a57',
      architecture: 'arm64',
      psciVersions: [],
      ipaBits: { min: 40, max: 40 },
    });
    for (const { rule, source } of host.rules) expect(stdout).toContain(`\n\n${rule}\n  ${source}`);
  });

  test('describes one', async () => {
    const { code, stdout } = await cli(`hosts ${NAME}`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Name +linux-6\.12-max-sve\nKernel +6\.12\./);
    expect(stdout).toMatch(/^IPA bits +32 to 52$/m);
    expect(stdout).toMatch(/^Recorded +\d{4}-\d\d-\d\d by kvm-arm64 /m);
    expect(stdout).toMatch(/^BEHAVIOUR +VALUE +MEANING$/m);
    expect(stdout).toMatch(/^aarch32User +true +PSTATE may be set to 32-bit user mode$/m);
  });

  test('describes a file as it does a host of the package', async () => {
    const { json } = { json: JSON.parse((await cli(`hosts ${file} --json`)).stdout) };
    expect(json).toMatchObject({ backend: null, host: null });
    expect(json.hosts).toHaveLength(1);
    const [mine] = json.hosts;
    expect(mine).toMatchObject({
      name: 'mine',
      isDefault: false,
      kernel: profile.provenance.kernel,
      midr: 'f0510', // QEMU's max
      psciVersions: ['0.2', '1.0', '1.1'],
      ipaBits: { min: 32, max: 52 },
      behaviours: profile.behaviours,
    });
    expect(mine.featureSets).toHaveLength(
      profile.configurations.flatMap(({ features }: { features: number[] }) => features).length,
    );
    expect(mine.featureSets[0]).toMatchObject({ features: [] });
    const all = JSON.parse((await cli('hosts --json')).stdout).hosts;
    expect(all.map(({ name }: { name: string }) => name)).toEqual(HOSTS);
    expect(all[HOSTS.indexOf(NAME)]).toEqual({ ...mine, name: NAME });
  });

  test('says what the CPU of each claims and the emulated one does not execute', async () => {
    const { code, stdout, stderr } = await cli('hosts --cpu-gaps');
    expect([code, stderr]).toEqual([0, '']);
    for (const host of HOSTS)
      expect(stdout).toMatch(new RegExp(`^${host.replaceAll('.', '\\.')} .*AArch32`, 'm'));
    expect(stdout).toMatch(/^linux-6\.12-max-sve .*\bPAuth\b.*\bSVE\b/m);
    expect(stdout).toMatch(/^PAuth +integer +pacga /m);
    const { hosts } = JSON.parse((await cli('hosts linux-6.12-neoverse-n1 --cpu-gaps --json')).stdout);
    expect(hosts).toHaveLength(1);
    expect(hosts[0].name).toBe('linux-6.12-neoverse-n1');
    expect(hosts[0].gaps).toContainEqual({
      feature: 'AArch32',
      kind: 'system',
      instructions: [],
      effect: '32-bit code does not run: an exception return to it is illegal',
    });
    expect(hosts[0].gaps.filter(({ kind }: { kind: string }) => kind === 'integer')).toEqual([]);
  });

  test('says what is wrong with a name or a file', async () => {
    const unknown = await cli('hosts linux-6.12-max-sev');
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toMatch(
      /^kvm-arm64: There is no host "linux-6\.12-max-sev" \(did you mean linux-6\.12-max-sve\?\); there are .*\n$/,
    );
    const damaged = join(folder, 'damaged.json');
    writeFileSync(damaged, JSON.stringify({ ...profile, knownFeatures: -1 }));
    const { code, stdout } = await cli(`hosts ${damaged} --json`);
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error).toEqual({
      code: 'ERR_BAD_PROFILE',
      message: `${damaged} is no host profile: knownFeatures must be a whole number, zero or more`,
      path: damaged,
    });
  });
});

describe('--host', () => {
  test('takes a file', async () => {
    const { code, stdout } = await cli(`info --host ${file} --json`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      backend: 'emulated',
      host: 'mine',
      ipaBits: 52,
      recorded: { kernel: profile.provenance.kernel, machine: profile.provenance.machine },
    });
    expect((await cli(`regs --filter ZCR --features PSCI_0_2,SVE --host ${file}`)).stdout).toMatch(
      /^Backend: emulated \(mine\)/,
    );
  });

  test('tells which host was meant', async () => {
    const { code, stderr } = await cli('psci --host linux-6.12-neoverse-n2');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^kvm-arm64: There is no host "linux-6\.12-neoverse-n2" \(did you mean linux-6\.12-neoverse-n1\?\); there are /,
    );
  });
});
