/** The package in several workers at once, and the end of a process that has left everything open. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { BOOT, describeLab, runPackage } from './lab/tier.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCRIPT = 'dist/test/lab/workers-guest.js';
const selected = (backend: string) => ['0.2', '1.0', '1.1', '0.2'].map(version => `${backend} ${version}`);

it('emulated: each worker has hosts of its own', () => {
  const printed = execFileSync(process.execPath, [SCRIPT, 'emulated'], { cwd: ROOT, encoding: 'utf8' });
  expect(JSON.parse(printed)).toEqual(selected('emulated'));
});

describeLab('on the real kernel', () => {
  it(
    'each worker loads the addon and has VMs of its own; process.exit() with all open is clean',
    async () => {
      const { status, stdout, stderr } = await runPackage({ script: SCRIPT, args: ['native'] });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      expect(JSON.parse(stdout.toString())).toEqual(selected('native'));
    },
    BOOT,
  );
});
