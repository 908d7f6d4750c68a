/**
 * The kernels in the cache, and the one that a name means.
 *
 * A kernel is named by the beginning of its version: `6.12` is the newest of that series, `7` the newest of
 * them all that begins with 7. Point releases come and go on a mirror, so nothing here knows one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, readManifest } from './cache.ts';

/** What runs where no kernel is asked for. */
export const DEFAULT_KERNEL = '6.12';

/** A kernel of a suite of Debian. */
export interface KernelOffer {
  /** The first two numbers of the version. */
  readonly series: string;
  /** `5.10.223`. */
  readonly version: string;
  readonly suite: string;
  /** What `uname -r` says: `5.10.0-32-cloud-arm64`. */
  readonly release: string;
}

/** A kernel in the cache. */
export interface KernelManifest extends KernelOffer {
  /** Debian packages and their versions. */
  readonly packages: Readonly<Record<string, string>>;
  /** Files of the modules that the lab's channels need, in the order of loading. */
  readonly modules: readonly string[];
  readonly sha256: string;
}

/** What a machine boots. */
export interface BootKernel {
  /** Path of the image. */
  readonly image: string;
  /** Paths of the modules to load, in order. */
  readonly modules: readonly string[];
  /** What `uname -r` says; `undefined` for an image that is not from the cache. */
  readonly release: string | undefined;
}

/** The image, in a kernel's folder of the cache. */
export const IMAGE = 'Image';

/** Where the cache has a series. */
export function kernelFolder(series: string): string {
  return join('kernels', series);
}

/** The kernels in the cache, oldest first. */
export function installedKernels(): KernelManifest[] {
  const folder = join(cacheFolder(), 'kernels');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(name => /^\d+\.\d+$/.test(name))
    .flatMap(series => readManifest<KernelManifest>(kernelFolder(series)) ?? [])
    .sort(byVersion);
}

/** The newest of the kernels that a name means. */
export function newest<T extends { readonly version: string }>(
  name: string,
  kernels: readonly T[],
): T | undefined {
  return kernels
    .filter(({ version }) => `${version}.`.startsWith(`${name}.`))
    .sort(byVersion)
    .at(-1);
}

/** The kernel that a name means, by version from the cache or else an image by its path; or why there is none. */
export function findKernel(name: string): BootKernel | string {
  if (!/^\d+(\.\d+)*$/.test(name)) {
    const fault = faultOfImage(name);
    return fault === undefined ? { image: name, modules: [], release: undefined } : fault;
  }
  const kernel = newest(name, installedKernels());
  if (kernel === undefined) return `Linux ${name} is not set up: kvm-arm64 lab setup --kernel ${name}`;
  const folder = join(cacheFolder(), kernelFolder(kernel.series));
  const modules = kernel.modules.map(file => join(folder, file));
  return { image: join(folder, IMAGE), modules, release: kernel.release };
}

/** Where an arm64 image says that it is one (Documentation/arch/arm64/booting.rst), and what it says. */
const MAGIC = { offset: 56, text: 'ARM\x64' } as const;

function faultOfImage(path: string): string | undefined {
  try {
    const head = readFileSync(path).subarray(MAGIC.offset).toString('latin1', 0, MAGIC.text.length);
    return head === MAGIC.text ? undefined : `${path} is not an uncompressed arm64 kernel image`;
  } catch (error) {
    return `the kernel image cannot be read: ${(error as Error).message}`;
  }
}

/** Orders by version number. */
export function byVersion(a: { readonly version: string }, b: { readonly version: string }): number {
  return a.version.localeCompare(b.version, 'en', { numeric: true });
}
