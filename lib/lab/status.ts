/** Whether the lab can run here, and if not, what to do about it. */
import { spawnSync } from 'node:child_process';
import { QEMU } from './machine.ts';
import { installed, type LabManifest } from './setup.ts';

/** Available with these versions, or not for a reason. */
export type LabStatus =
  | ({ readonly available: true } & LabManifest)
  | { readonly available: false; readonly reason: string };

/** Looks for QEMU and for what set-up puts into the cache. */
export function labStatus(): LabStatus {
  if (spawnSync(QEMU, ['--version'], { stdio: 'ignore' }).error !== undefined) {
    return { available: false, reason: `${QEMU} is not installed (Debian: apt-get install qemu-system-arm)` };
  }
  const manifest = installed();
  if (manifest === undefined) {
    return { available: false, reason: 'the lab is not set up: npm run lab:setup' };
  }
  return { available: true, ...manifest };
}
