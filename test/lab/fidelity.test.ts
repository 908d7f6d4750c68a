/** Every host against the kernel that it was recorded from: the same calls, the same answers. */
import { expect, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import type { Report } from '#lib/fidelity/guest.js';
import { machineOf } from '#lib/fidelity/machines.js';
import { BOOT, describeLab, kernelMovedOn, runPackage } from './tier.ts';

const SEED = 1;
const CALLS = 20_000;
const TIME = 5 * BOOT;

describeLab('fidelity', () => {
  const hosts = RECORDED_HOSTS.map(host => [host, kernelMovedOn(host)] as const);
  it.for(hosts)(
    `%s gives the kernel's answers to ${CALLS} random calls%s`,
    { timeout: TIME },
    async ([host, other], { skip }) => {
      skip(other !== '');
      const { status, stdout, stderr } = await runPackage({
        script: 'dist/lib/fidelity/guest.js',
        args: [host, String(SEED), String(CALLS)],
        ...machineOf(host),
        timeoutMs: TIME,
      });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      const { calls, differences } = JSON.parse(stdout.toString()) as Report;
      expect(calls).toBeGreaterThanOrEqual(CALLS);
      expect(differences).toEqual([]);
    },
  );
});
