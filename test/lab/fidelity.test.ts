/** The default host against the kernel that it was recorded from: the same calls, the same answers. */
import { expect, it } from 'vitest';
import { DEFAULT_HOST } from '#lib/emulator/profile.js';
import type { Report } from '#lib/fidelity/guest.js';
import { runInLab } from '#lib/lab/run.js';
import { BOOT, describeLab } from './tier.ts';

const SEED = 1;
const CALLS = 20_000;
const TIME = 5 * BOOT;

describeLab('fidelity', () => {
  it(
    `${DEFAULT_HOST} gives the kernel's answers to ${CALLS} random calls`,
    async () => {
      const { status, stdout, stderr } = await runInLab({
        script: 'dist/lib/fidelity/guest.js',
        args: [DEFAULT_HOST, String(SEED), String(CALLS)],
        timeoutMs: TIME,
      });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      const { calls, differences } = JSON.parse(stdout.toString()) as Report;
      expect(calls).toBeGreaterThanOrEqual(CALLS);
      expect(differences).toEqual([]);
    },
    TIME,
  );
});
