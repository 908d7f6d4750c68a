/** Each kernel that CI sets up boots, on a machine of its own kind, and its KVM can be used. */
import { expect, it } from 'vitest';
import type { MachineOptions } from '#lib/lab/machine.js';
import { labStatus } from '#lib/lab/status.js';
import { BOOT, describeLab, runPackage } from './tier.ts';

interface Expected {
  /** The newest PSCI version; where it came with the kernel: 1.1 with 5.18, 1.3 with 6.13. */
  readonly psci: string;
  readonly sve: number;
  /** As /proc/interrupts names it. */
  readonly gic: string;
  readonly mode: string;
}

const MAX = { psci: '1.1', sve: 0, gic: 'GICv3', mode: 'VHE' };

const MACHINES: readonly (readonly [kernel: string, machine: MachineOptions, expected: Expected])[] = [
  ['5.10', { cpu: 'max' }, { ...MAX, psci: '1.0' }],
  ['6.1', { cpu: 'max', gic: 2 }, { ...MAX, gic: 'GICv2' }],
  ['6.12', { cpu: 'cortex-a57' }, { ...MAX, gic: 'GICv2', mode: 'Hyp nVHE' }],
  ['6.12', { cpu: 'max-sve' }, { ...MAX, sve: 1 }],
  ['6.18', { cpu: 'max', cpus: 1, memory: 1024 }, { ...MAX, psci: '1.3' }],
  ['7', { cpu: 'max', mode: 'nvhe' }, { ...MAX, psci: '1.3', mode: 'Hyp nVHE' }],
];

const SCRIPT = `
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { Kvm } from 'kvm-arm64';
const kvm = Kvm.open({ backend: 'native' });
const log = execFileSync('/bin/busybox', ['dmesg'], { encoding: 'utf8' });
console.log(JSON.stringify({
  release: release(),
  cpus: cpus().length,
  psci: kvm.supportedPsciVersions().at(-1),
  sve: kvm.checkExtension('ARM_SVE'),
  gic: /GICv\\d/.exec(readFileSync('/proc/interrupts', 'utf8'))?.[0],
  mode: /kvm \\[1\\]: (.*) mode initialized/.exec(log)?.[1],
}));
`;

for (const [kernel, machine, expected] of MACHINES) {
  const title = `Linux ${kernel} on ${Object.values(machine).join(', ')}`;
  describeLab(
    title,
    () => {
      it(
        'boots, and its KVM can be used',
        async () => {
          const status = labStatus(kernel);
          const release = status.available ? status.kernel.release : undefined;
          const files = { 'main.mjs': Buffer.from(SCRIPT) };
          const { stdout, stderr } = await runPackage({ script: 'main.mjs', files, kernel, ...machine });
          expect(stderr.toString()).toBe('');
          expect(JSON.parse(stdout.toString())).toEqual({ release, cpus: machine.cpus ?? 2, ...expected });
        },
        BOOT,
      );
    },
    kernel,
  );
}

describeLab('a mode that the kernel has not', () => {
  it('is an error, not another mode in silence', { timeout: BOOT }, async () => {
    const message = 'KVM has come up in mode nvhe on this kernel and CPU';
    await expect(runPackage({ script: '', cpu: 'cortex-a57', mode: 'vhe' })).rejects.toThrow(message);
  });
});
