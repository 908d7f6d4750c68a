/**
 * `kvm-arm64 lab setup`
 *
 * @packageDocumentation
 */
import { DEFAULT_KERNEL } from '../../lab/kernels.ts';
import { setup } from '../../lab/setup.ts';
import type { Command } from '../command.ts';
import { clearProgress, showProgress } from '../progress.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';

/** Kernels and a user space for the lab. */
export const labSetup: Command = {
  name: 'lab setup',
  summary: 'fetch kernels for the lab, and what runs on them',
  details: `Debian's kernels come from the mirror of this machine's apt, with apt's checks of their signatures and without
touching its package state; Node comes from the npm registry. What is there already is not fetched again, but with
--update, where the mirror has a newer version: without --kernel, of all that are there.`,
  options: {
    kernel: {
      value: 'VERSIONS',
      summary: `kernels by the beginning of their version, such as 5.10,6.1,7 (the newest 7.x); default: ${DEFAULT_KERNEL}`,
    },
    update: { summary: 'replace kernels of which the mirror has a newer point release' },
    mirror: { value: 'ADDRESS', summary: "a Debian mirror; default: that of this machine's apt" },
  },
  json: { kernels: 'those that were asked for: series, version, suite, release, packages, modules, sha256' },
  examples: ['lab setup', 'lab setup --kernel 5.10,6.1,6.12,6.18,7', 'lab setup --update'],

  async run({ options }) {
    const names = options.get('kernel')?.split(',');
    const odd = names?.find(name => !/^\d+(\.\d+)*$/.test(name));
    if (odd !== undefined) {
      throw new UsageError(
        `--kernel takes versions such as 6.12, separated by commas; got ${JSON.stringify(odd)}`,
      );
    }
    const kernels = await setup({
      kernels: names,
      update: options.has('update'),
      mirror: options.get('mirror'),
      progress: showProgress,
    }).finally(clearProgress);
    const rows = kernels.map(({ version, suite, release }) => [version, suite, release]);
    return { data: { kernels }, text: table(rows, ['KERNEL', 'SUITE', 'RELEASE']) };
  },
};
