/**
 * `kvm-arm64 lab list`
 *
 * @packageDocumentation
 */
import { cacheFolder, folderSize } from '../../lab/cache.ts';
import { lastCatalogue, readCatalogue } from '../../lab/catalogue.ts';
import { byVersion, installedKernels, kernelFolder } from '../../lab/kernels.ts';
import { CPUS } from '../../lab/machine.ts';
import type { Command } from '../command.ts';
import { table } from '../table.ts';

/** What the lab can run. */
export const labList: Command = {
  name: 'lab list',
  summary: 'the kernels and CPUs of the lab, and what is in its cache',
  details: `What the mirror has is what it had when it was last read: with --update, or by lab setup.`,
  options: {
    update: { summary: 'read the mirror anew' },
    mirror: { value: 'ADDRESS', summary: "a Debian mirror; default: that of this machine's apt" },
  },
  json: {
    kernels:
      'series, suite, available (the newest version there; null if unknown), cached (the version here; null if none), bytes',
    cpus: 'name, model (of QEMU), gic (the version that it has by default), summary',
    cache: 'folder, bytes',
    read: 'when the mirror was read; null for never',
    missing: 'suites that the mirror does not have',
  },
  examples: ['lab list', 'lab list --update --json'],

  async run({ options }) {
    const mirror = options.get('mirror');
    const isAsked = options.has('update') || mirror !== undefined;
    const catalogue = isAsked ? await readCatalogue(mirror) : lastCatalogue();
    const kernels = kernelsOf(catalogue?.kernels ?? []);
    const cpus = Object.entries(CPUS).map(([name, cpu]) => ({ name, ...cpu }));
    const cache = { folder: cacheFolder(), bytes: folderSize('.') };
    const missing = catalogue?.missing ?? [];
    const read = catalogue?.read ?? null;
    const notes = [
      ...(read === null ? ['The mirror was not read yet: kvm-arm64 lab list --update'] : []),
      ...(missing.length === 0 ? [] : [`The mirror does not have ${missing.join(', ')}.`]),
      `The cache is ${cache.folder}, ${mib(cache.bytes)}.`,
    ];
    return {
      data: { kernels, cpus, cache, read, missing },
      text: [
        table(
          kernels.map(({ series, suite, available, cached, bytes }) => [
            series,
            suite,
            available ?? '?',
            cached ?? '-',
            bytes === 0 ? '' : mib(bytes),
          ]),
          ['KERNEL', 'SUITE', 'AVAILABLE', 'CACHED', 'SIZE'],
        ),
        table(
          cpus.map(({ name, gic, summary }) => [name, `GICv${gic}`, summary]),
          ['CPU', 'GIC', 'LIKE'],
        ),
        notes.join('\n'),
      ].join('\n\n'),
    };
  },
};

/** The kernels that are there or here, oldest first. */
function kernelsOf(offers: readonly { series: string; suite: string; version: string }[]) {
  const here = installedKernels();
  const onlyHere = here.filter(({ series }) => !offers.some(offer => offer.series === series));
  return [...offers, ...onlyHere].sort(byVersion).map(({ series, suite }) => {
    const cached = here.find(kernel => kernel.series === series)?.version ?? null;
    return {
      series,
      suite,
      available: offers.find(offer => offer.series === series)?.version ?? null,
      cached,
      bytes: cached === null ? 0 : folderSize(kernelFolder(series)),
    };
  });
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
