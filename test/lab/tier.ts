/** The lab as a test tier: skipped with its reason where it is missing, or failed where it is required. */
import { describe, it } from 'vitest';
import { labStatus } from '../../lib/lab/status.ts';

/** Time limit of a test that boots once: seconds on an idle machine, but the machine may be busy. */
export const BOOT = 120_000;

/** A `describe` for tests that boot the lab. `KVM_ARM64_REQUIRE=lab` turns the skip into a failure. */
export function describeLab(title: string, tests: () => void): void {
  const status = labStatus();
  const required = (process.env['KVM_ARM64_REQUIRE'] ?? '').split(',').includes('lab');
  if (status.available) {
    describe(title, tests);
  } else if (required) {
    describe(title, () => {
      it('has the lab, as KVM_ARM64_REQUIRE=lab asks', () => {
        throw new Error(status.reason);
      });
    });
  } else {
    describe.skip(`${title} (skipped: ${status.reason})`, tests);
  }
}
