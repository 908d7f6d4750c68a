/** Which kernel a case runs on, for answers that kernels have changed: the sources and stable series that the lab has. */
import { release } from 'node:os';
import type { Kvm } from '#lib/kvm.js';

/** Whether the kernel of a host is older than a version: `5.10` of the lab's Debian, `linux-5.10-max` of the emulator. */
export function isBefore(kvm: Kvm, major: number, minor: number): boolean {
  const [, first, second] = /(\d+)\.(\d+)/.exec(kvm.backend === 'native' ? release() : kvm.host)!;
  return Number(first) < major || (Number(first) === major && Number(second) < minor);
}
