/**
 * Where the lab keeps what it fetched. A folder is either complete or not there: it is built under a
 * temporary name beside its place and renamed, so that a failure leaves nothing half-written and two
 * set-ups at once do not disturb each other.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LabError } from './error.ts';

const DAY = 24 * 3600 * 1000;

/** The lab's folder: in `$KVM_ARM64_CACHE`, else where the XDG base directory specification puts caches. */
export function cacheFolder(): string {
  const { KVM_ARM64_CACHE, XDG_CACHE_HOME } = process.env;
  return join(KVM_ARM64_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'kvm-arm64'), 'lab');
}

/** The manifest of a complete folder of the cache, or `undefined` where there is none: what is damaged is not there. */
export function readManifest<T>(folder: string): T | undefined {
  try {
    return JSON.parse(readFileSync(join(cacheFolder(), folder, 'manifest.json'), 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** Bytes of the files in a folder of the cache. */
export function folderSize(folder: string): number {
  const path = join(cacheFolder(), folder);
  if (!existsSync(path)) return 0;
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map(name => statSync(join(path, name), { throwIfNoEntry: false }))
    .reduce((sum, stat) => sum + (stat?.isFile() ? stat.size : 0), 0);
}

/** Calls `build` with a temporary folder of the cache, which is gone afterwards, whatever happens. */
export async function withTemporaryFolder(build: (folder: string) => Promise<void>): Promise<void> {
  const cache = cacheFolder();
  let folder: string;
  try {
    await mkdir(cache, { recursive: true });
    removeLeftovers(cache);
    folder = mkdtempSync(join(cache, 'tmp-'));
  } catch (cause) {
    throw new LabError('ERR_LAB_SETUP', `the cache folder cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove); // Ctrl-C ends the process between two awaits
  try {
    await build(folder);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/**
 * Puts files and their manifest into a folder of the cache, all of them or none. The folder takes the place of one with
 * other content; one with the same stays, as another set-up may have been faster.
 *
 * @param files - paths of the files by their name in the folder; they are moved
 */
export async function publish(
  folder: string,
  work: string,
  files: Readonly<Record<string, string>>,
  about: object,
): Promise<void> {
  const complete = join(work, 'complete');
  await mkdir(complete);
  const sha256: Record<string, string> = {};
  for (const [name, file] of Object.entries(files)) {
    sha256[name] = createHash('sha256').update(readFileSync(file)).digest('hex');
    await rename(file, join(complete, name));
  }
  const manifest = { ...about, sha256 };
  await writeFile(join(complete, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const place = join(cacheFolder(), folder);
  await mkdir(join(place, '..'), { recursive: true });
  if (await renameTo(place, complete)) return;
  if (isDeepStrictEqual(readManifest(folder), manifest)) return;
  await rename(place, join(work, 'former'));
  await renameTo(place, complete);
}

/** Renames a folder; `false` where there is one of that name. */
async function renameTo(place: string, folder: string): Promise<boolean> {
  try {
    await rename(folder, place);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    return false;
  }
}

/** What a killed process left behind. Nothing temporary is needed for a day. */
function removeLeftovers(cache: string): void {
  for (const name of readdirSync(cache).filter(name => name.startsWith('tmp-'))) {
    const path = join(cache, name);
    const stat = statSync(path, { throwIfNoEntry: false }); // its owner may remove it meanwhile
    if (stat !== undefined && Date.now() - stat.mtimeMs > DAY) rmSync(path, { recursive: true, force: true });
  }
}
