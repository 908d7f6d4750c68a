import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli } from './support.ts';

let folder: string;
let young: string;
let pinned: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-state-'));
  young = join(folder, 'young.state');
  pinned = join(folder, 'pinned.state');
  await cli(`state save ${young} --host linux-6.18-max`);
  await cli(`state save ${pinned} --host linux-6.18-max --psci 1.1 --features PSCI_0_2,PMU_V3`);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function json(words: string) {
  const { code, stdout, stderr } = await cli(`${words} --json`);
  return { code, stderr, json: JSON.parse(stdout) };
}

describe('compare', () => {
  test('says both ways what stands between two hosts, with the cure', async () => {
    const { code, stdout } = await cli('compare linux-6.18-max linux-6.12-max');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^linux-6\.18-max to linux-6\.12-max: incompatible, with PSCI_0_2/);
    expect(stdout).toContain(
      'KVM_REG_ARM_PSCI_VERSION: the destination refuses it (EINVAL): 1.3, there 1.1\n    pin PSCI to 1.1 before the guest starts',
    );
    expect(stdout).toMatch(/^linux-6\.12-max to linux-6\.18-max: incompatible/m);
  });

  test('exits with 0 where the first loads on the second', async () => {
    const { code, json: document } = await json('compare linux-6.12-max linux-6.12-max-sve');
    expect(code).toBe(0);
    expect(document.comparisons).toMatchObject([
      { source: 'linux-6.12-max', destination: 'linux-6.12-max-sve', verdict: 'superset' },
      { verdict: 'compatible', findings: [{ what: 'feature', effect: 'lacked', name: 'SVE' }] },
    ]);
  });

  test('calls machines that were recorded under one name by their files', async () => {
    const profile = JSON.parse(
      readFileSync(new URL('../../lib/emulator/hosts/linux-6.18-max.json', import.meta.url), 'utf8'),
    );
    const [here, there] = ['here.json', 'there.json'].map(name => join(folder, name)) as [string, string];
    writeFileSync(here, JSON.stringify(profile));
    const psci = { withFeature: ['2', '10000', '10001'], withoutFeature: ['1'], latest: '10001' };
    writeFileSync(there, JSON.stringify({ ...profile, psci }));
    const { json: document } = await json(`compare ${here} ${there}`);
    expect(document.comparisons).toMatchObject([
      { source: here, destination: there, verdict: 'incompatible' },
      { source: there, destination: here },
    ]);
    expect((await json(`baseline ${here} ${there} linux-6.18-max`)).json.hosts).toEqual([
      here,
      there,
      'linux-6.18-max',
    ]);
    expect((await json(`compare ${here} linux-6.12-max`)).json.comparisons[0].source).toBe('linux-6.18-max');
  });

  test('has a matrix', async () => {
    const { code, stdout } = await cli('compare --matrix linux-6.12-max linux-6.18-max linux-7.3-max');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^FROM, TO +1 +2 +3\n1 linux-6\.12-max +identical +incompatible +incompatible\n/);
    expect(stdout).toMatch(/^2 linux-6\.18-max +incompatible +identical +superset$/m);
  });

  test('colours verdicts for those who see them', async () => {
    const { stdout } = await cli('compare linux-4.17 linux-4.17', { FORCE_COLOR: '1' });
    expect(stdout).toContain('\u001b[32midentical\u001b[39m');
  });

  test.each(['compare', 'compare linux-6.12-max', 'compare linux-6.12-max linux-6.18-max linux-7.3-max'])(
    '%s is wrong usage',
    async words => {
      expect(await cli(words)).toMatchObject({ code: 2, stderr: expect.stringContaining('needs two hosts') });
    },
  );
});

describe('state', () => {
  test('save writes a file that show, diff and plan read', async () => {
    const shown = await json(`state show ${pinned}`);
    expect(shown.code).toBe(0);
    expect(shown.json.provenance).toMatchObject({ host: 'linux-6.18-max', backend: 'emulated' });
    expect(shown.json.vcpus).toMatchObject([
      { id: 0, features: ['PSCI_0_2', 'PMU_V3'], mpState: 'RUNNABLE' },
    ]);
    expect(shown.json.vcpus[0].registers.KVM_REG_ARM_PSCI_VERSION).toBe('0x10001');
    const { stdout } = await cli(`state show ${pinned}`);
    expect(stdout).toMatch(/^host +linux-6\.18-max$/m);
    expect(stdout).toMatch(/^KVM_REG_ARM_PSCI_VERSION +0x10001$/m);
  });

  test('diff names registers and fields', async () => {
    expect(await cli(`state diff ${young} ${young}`)).toMatchObject({ code: 0, stdout: 'No difference\n' });
    const { code, stdout } = await cli(`state diff ${young} ${pinned}`);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^0 +KVM_REG_ARM_PSCI_VERSION +0x10003 +0x10001 +MINOR 3, 1$/m);
    expect(stdout).toMatch(/^0 +PMCR_EL0 +- +0x\w+/m);
  });

  test('load restores, or says why not', async () => {
    const fine = await cli(`state load ${pinned} --host linux-6.12-max --omit KVM_REG_ARM_VENDOR_HYP_BMAP_2`);
    expect(fine).toMatchObject({ code: 0, stderr: '' });
    expect(fine.stdout).toMatch(/vCPU 0: \d+ registers restored\nVerdict: superset/);
    const refused = await json(`state load ${young} --host linux-6.12-max`);
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'ERR_WILL_NOT_LOAD' } } });
    expect(refused.stderr).toContain('pin PSCI to 1.1');
  });

  test('a host where a state is wanted, or the other way round, is told apart', async () => {
    const host = join(folder, 'host.json');
    writeFileSync(
      host,
      readFileSync(new URL('../../lib/emulator/hosts/linux-6.1-max.json', import.meta.url)),
    );
    for (const words of [`plan linux-6.12-max ${young}`, `state diff ${young} ${host}`])
      expect(await cli(words)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/ is a host.*, and (the name of )?a state file is wanted there\n$/),
      });
    for (const words of [`compare ${young} linux-6.12-max`, `plan ${young} ${pinned}`])
      expect(await cli(words)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/\.state is a state file, and a host is wanted there; kvm-arm64 plan /),
      });
    expect(await cli(`state save ${folder}`)).toMatchObject({
      code: 2,
      stderr: `kvm-arm64: ${folder} cannot be written: it is a folder\n`,
    });
  });

  test('damaged and absent files are wrong usage, with the place', async () => {
    const cut = join(folder, 'cut.state');
    writeFileSync(cut, readFileSync(young));
    truncateSync(cut, 100);
    expect(await cli(`state show ${cut}`)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/ERR_BAD_STATE: .* announces \d+ bytes and has 100, at offset 16/),
    });
    expect(await cli(`state show ${folder}/none`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot be read'),
    });
  });
});

describe('plan', () => {
  test('exits with 0 only where the state loads', async () => {
    const no = await json(`plan ${young} linux-6.12-max`);
    expect(no).toMatchObject({ code: 1, json: { plan: { host: 'linux-6.12-max', loads: false } } });
    const yes = await json(`plan ${pinned} linux-6.12-max --omit KVM_REG_ARM_VENDOR_HYP_BMAP_2`);
    expect(yes).toMatchObject({ code: 0, json: { plan: { loads: true, verdict: 'superset' } } });
  });

  test('tries remedies on the source, where it is given', async () => {
    const { stdout } = await cli(`plan ${pinned} linux-6.1-max --from linux-6.18-max`);
    expect(stdout).toMatch(/write 0x\w+ to ID_AA64DFR0_EL1 \(.*\) before the first run$/m);
    expect((await cli(`plan ${pinned} linux-6.1-max`)).stdout).toContain(', if the source kernel allows');
  });
});

describe('baseline', () => {
  test('names what to write and what to leave out', async () => {
    const { code, json: found } = await json('baseline linux-6.12-max linux-6.18-max linux-7.3-max');
    expect(code).toBe(0);
    expect(found).toMatchObject({ registers: { KVM_REG_ARM_PSCI_VERSION: '0x10001' }, spoilers: [] });
    expect(found.omit).toContain('KVM_REG_ARM_VENDOR_HYP_BMAP_2');
  });

  test('says which hosts lack a feature that was asked for', async () => {
    const words = 'baseline linux-6.12-max linux-6.12-max-sve --features PSCI_0_2,SVE';
    expect((await cli(words)).stdout).toMatch(/^Features: PSCI_0_2\n\nNot SVE: linux-6\.12-max lacks it\n/);
    expect((await json(words)).json.lacking).toEqual([{ feature: 'SVE', hosts: ['linux-6.12-max'] }]);
  });

  test('says who spoils it', async () => {
    const { code, stdout } = await cli('baseline linux-6.12-max linux-6.12-neoverse-n1');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^SPOILED BY +REGISTER +REASON$/m);
    expect(stdout).toMatch(/^linux-6\.12-\S+ +MIDR_EL1 +has 0x\w+ and does not take 0x\w+$/m);
    expect(await cli('baseline linux-6.12-max')).toMatchObject({ code: 2 });
  });
});
