/** Brings one kernel from a suite of Debian into the cache, with the modules that the lab's channels need. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { publish } from './cache.ts';
import { KERNEL_PACKAGE } from './catalogue.ts';
import type { Suite } from './debian.ts';
import { LabError } from './error.ts';
import { IMAGE, type KernelOffer, kernelFolder } from './kernels.ts';

/** Modules of the channels, in the order of loading. Kernels before 6.12 have them; later ones have them built in. */
const MODULES: readonly string[] = [
  'virtio.ko',
  'virtio_ring.ko',
  'virtio_pci_legacy_dev.ko',
  'virtio_pci_modern_dev.ko',
  'virtio_pci.ko',
  'virtio_console.ko',
];

/** Fetches a kernel; `work` is a temporary folder. */
export async function fetchKernel(offer: KernelOffer, suite: Suite, work: string): Promise<void> {
  const { release, series } = offer;
  const names = (await suite.find(KERNEL_PACKAGE))
    .map(({ name }) => name)
    .filter(name => KERNEL_PACKAGE.exec(name)?.[2] === release);
  const unpacked = join(work, 'unpacked');
  const packages = await suite.unpack(names, unpacked);
  const files = new Map(
    readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).map(path => [
      basename(path),
      join(unpacked, path),
    ]),
  );
  const image = files.get(`vmlinuz-${release}`) ?? files.get('vmlinuz'); // the latter from 7.1
  if (image === undefined) {
    throw new LabError('ERR_LAB_SETUP', `there is no kernel image in ${names.join(' and ')}`);
  }
  const modules = MODULES.filter(name => files.has(name));
  const wanted = { [IMAGE]: image, ...Object.fromEntries(modules.map(name => [name, files.get(name)!])) };
  await publish(kernelFolder(series), work, wanted, { ...offer, packages, modules });
}
