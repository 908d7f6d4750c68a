/** The lab as a test tier: skipped with its reason where it is missing, or failed where it is required. */
import { describe, it } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { machineOf } from '#lib/fidelity/machines.js';
import { type LabOptions, type LabResult, runInLab } from '#lib/lab/run.js';
import { labStatus } from '#lib/lab/status.js';
import { isRequired, labFault } from '#lib/testing/hosts.js';

/** Time limit of a test that boots once: seconds on an idle machine, but the machine may be busy. */
export const BOOT = 120_000;

/**
 * A `describe` for tests that boot the lab. `KVM_ARM64_REQUIRE=lab` turns the skip into a failure, but for a kernel beside
 * the default one: mirrors drop old suites.
 */
export function describeLab(title: string, tests: () => void, kernel?: string): void {
  const reason = labFault(kernel);
  const required = isRequired('lab') && kernel === undefined;
  if (reason === undefined) {
    describe(title, tests);
  } else if (required) {
    describe(title, () => {
      it('has the lab, as KVM_ARM64_REQUIRE=lab asks', () => {
        throw new Error(reason);
      });
    });
  } else {
    describe.skip(`${title} (skipped: ${reason})`, tests);
  }
}

/** What this package publishes, and its compiled tests; not the tools of its node_modules. */
export const PACKAGE_PARTS: readonly string[] = ['package.json', 'dist', 'prebuilds/linux-arm64'];

/** Runs a script on {@link PACKAGE_PARTS}. */
export function runPackage(options: LabOptions): Promise<LabResult> {
  return runInLab({ parts: PACKAGE_PARTS, ...options });
}

/**
 * Why a host cannot be held against the lab's kernel of its series, for a title: there is none, or it is another release.
 * Empty where it can.
 */
export function kernelMovedOn(host: string): string {
  const lab = labStatus(machineOf(host)?.kernel);
  const { kernel } = loadHost(host).provenance;
  if (!lab.available) return ` (skipped: ${lab.reason})`;
  if (kernel.startsWith(`${lab.kernel.release} `)) return '';
  return ` (skipped: the lab has Linux ${lab.kernel.release}, and the profile is of ${kernel})`;
}
