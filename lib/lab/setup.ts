/** Puts what the lab runs into the cache: kernels of Debian, and a user space with Node. */
import { join } from 'node:path';
import { withTemporaryFolder } from './cache.ts';
import { type Catalogue, readMirror } from './catalogue.ts';
import { LabError } from './error.ts';
import { fetchKernel } from './fetch-kernel.ts';
import { fetchUserSpace, installedUserSpace, SUITE } from './fetch-user-space.ts';
import { byVersion, DEFAULT_KERNEL, installedKernels, type KernelManifest, newest } from './kernels.ts';

/** What to set up, and from where. */
export interface SetupOptions {
  /** Kernels by version. Default: {@link DEFAULT_KERNEL}; for an update, those that are there. */
  readonly kernels?: readonly string[] | undefined;
  /** Fetches also those kernels of which the mirror has a newer version than the cache, instead of that one. */
  readonly update?: boolean | undefined;
  /** Address of a Debian mirror; default: that of this machine's apt. */
  readonly mirror?: string | undefined;
  /** Is told each step. */
  readonly progress?: ((step: string) => void) | undefined;
}

/**
 * Fetches what is missing in the cache. Each part is kept as soon as it is complete, so that a set-up which
 * failed goes on where it was.
 *
 * @returns the kernels that were asked for
 * @throws LabError `ERR_LAB_SETUP`
 */
export async function setup(options: SetupOptions = {}): Promise<KernelManifest[]> {
  const { update = false, kernels = defaultKernels(update), mirror, progress = () => {} } = options;
  const installed = (name: string) => newest(name, installedKernels());
  if (update || installedUserSpace() === undefined || kernels.some(name => installed(name) === undefined)) {
    await withTemporaryFolder(async folder => {
      try {
        progress('reading the package index of Debian');
        const { suites, catalogue } = await readMirror(folder, mirror);
        if (installedUserSpace() === undefined) {
          const suite = suites.get(SUITE);
          if (suite === undefined) throw new LabError('ERR_LAB_SETUP', `the mirror has no suite ${SUITE}`);
          progress('fetching busybox, the C++ runtime and Node');
          await fetchUserSpace(suite, join(folder, 'userspace'));
        }
        const absent: string[] = [];
        for (const name of kernels) {
          const here = installed(name);
          const offer = newest(name, catalogue.kernels);
          if (here !== undefined && (!update || offer === undefined || byVersion(here, offer) >= 0)) continue;
          if (offer === undefined) {
            absent.push(name);
            continue;
          }
          progress(`fetching Linux ${offer.version}`);
          await fetchKernel(offer, suites.get(offer.suite)!, join(folder, offer.series));
        }
        // Only now: what a mirror has dropped shall not keep the others from being there.
        if (absent.length > 0)
          throw new LabError('ERR_LAB_SETUP', noSuchKernel(absent.join(', '), catalogue));
      } catch (error) {
        if (error instanceof LabError) throw error;
        throw new LabError('ERR_LAB_SETUP', `set-up failed: ${(error as Error).message}`, { cause: error });
      }
    });
  }
  return kernels.map(name => installed(name)!);
}

/** What is there is what an update is for. */
function defaultKernels(update: boolean): readonly string[] {
  const here = update ? installedKernels().map(({ series }) => series) : [];
  return here.length === 0 ? [DEFAULT_KERNEL] : here;
}

function noSuchKernel(names: string, { kernels, missing }: Catalogue): string {
  const has = `the mirror has no Linux ${names}, but ${kernels.map(({ series }) => series).join(', ')}`;
  return missing.length === 0 ? has : `${has}; it lacks ${missing.join(', ')}`;
}
