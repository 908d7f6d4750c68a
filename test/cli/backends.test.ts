import { describe, expect, test } from 'vitest';
import { probe } from '#lib/native/probe.js';
import { cli } from './support.ts';

const { usable, noArmHost, situation, reason, arch } = probe();

/** What this machine's KVM is called in the reason, looked up by hand for those that the tests have met. */
const WORDS: Partial<Record<typeof situation, string>> = {
  'x86-kvm': '/dev/kvm is the KVM of an x86 machine, which runs no Arm guests.',
  'not-arm64': `This Node runs on ${arch}, and KVM for Arm guests needs arm64.`,
  'no-device': '/dev/kvm does not exist.',
  usable: '/dev/kvm is KVM on ARM64, and can be used.',
};
const words = WORDS[situation] ?? reason;

describe(`on this machine (${situation})`, () => {
  test('doctor answers whether native KVM can be used', async () => {
    const { code, stdout, stderr } = await cli('doctor --json');
    expect(stderr).toBe('');
    expect(code).toBe(usable ? 0 : 3);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ usable, situation, reason: words });
    expect(report.backend).toBe(usable ? 'native' : noArmHost ? 'emulated' : null);
    expect(report.checks.map(({ name }: { name: string }) => name)).toEqual([
      'Linux',
      'ARM64',
      'device',
      'permission',
      'addon',
      'KVM',
      'Arm KVM',
    ]);
    expect(report.checks[1]).toEqual({
      name: 'ARM64',
      state: arch === 'arm64' ? 'ok' : 'failed',
      detail: `this Node runs on ${arch}`,
    });
  });

  test('doctor says so to people, too', async () => {
    const { stdout } = await cli('doctor', { KVM_ARM64_BACKEND: 'emulated' });
    expect(stdout).toMatch(/^Backend: emulated \(linux-6\.12-neoverse-n1\)\n\nCHECK {2,}STATE {2,}DETAIL\n/);
    expect(stdout).toContain(`\n\n${words}\n`);
    expect(stdout).toMatch(arch === 'arm64' ? /^ARM64 +ok/m : /^ARM64 +failed +this Node runs on /m);
  });

  test('auto', async () => {
    const { code, stdout } = await cli('info --json');
    const report = JSON.parse(stdout);
    expect(code).toBe(usable || noArmHost ? 0 : 3);
    if (usable) expect(report).toMatchObject({ backend: 'native', host: '/dev/kvm', recorded: null });
    else if (noArmHost) expect(report).toMatchObject({ backend: 'emulated', reason: words });
    else expect(report.error.code).toBe('ERR_BACKEND_UNAVAILABLE');
  });

  test.skipIf(usable)(
    `--backend native is refused with the reason${usable ? ' [skipped: native KVM can be used here]' : ''}`,
    async () => {
      const { code, stdout, stderr } = await cli('psci --backend native');
      expect(code).toBe(3);
      expect(stdout).toBe('');
      expect(stderr).toContain(`kvm-arm64: No native KVM for Arm here: ${words.slice(0, -1)}`);
      expect(stderr).toMatch(/^[^\n]+\n$/);
    },
  );

  test('doctor finds the same where native is asked for', async () => {
    const { code, stdout } = await cli('doctor --json', { KVM_ARM64_BACKEND: 'native' });
    expect(code).toBe(usable ? 0 : 3);
    expect(JSON.parse(stdout)).toMatchObject({ backend: usable ? 'native' : null, situation });
  });
});
