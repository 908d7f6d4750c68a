/** Whether the lab can run here, and if not, what to do about it. */
import { spawnSync } from 'node:child_process';
import { installedUserSpace, type UserSpaceManifest } from './fetch-user-space.ts';
import { type BootKernel, DEFAULT_KERNEL, findKernel } from './kernels.ts';
import { QEMU } from './machine.ts';

/** Available with these parts, or not for a reason. */
export type LabStatus =
  | { readonly available: true; readonly kernel: BootKernel; readonly userSpace: UserSpaceManifest }
  | { readonly available: false; readonly reason: string };

/** Looks for QEMU, for the kernel of that version or path, and for what else set-up puts into the cache. */
export function labStatus(kernelName: string = DEFAULT_KERNEL): LabStatus {
  if (spawnSync(QEMU, ['--version'], { stdio: 'ignore' }).error !== undefined) {
    return { available: false, reason: `${QEMU} is not installed (Debian: apt-get install qemu-system-arm)` };
  }
  const kernel = findKernel(kernelName);
  if (typeof kernel === 'string') return { available: false, reason: kernel };
  const userSpace = installedUserSpace();
  if (userSpace === undefined) {
    return { available: false, reason: 'the lab is not set up: kvm-arm64 lab setup' };
  }
  return { available: true, kernel, userSpace };
}
