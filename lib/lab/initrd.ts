/** The initrd of one run: the shared user space, then the package under test and what the run adds. */
import { randomUUID } from 'node:crypto';
import { appendFileSync, constants, existsSync, openSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { archive, type Entry, entriesOf, foldersAbove, S_IFDIR, S_IFREG } from './cpio.ts';
import { LabError } from './error.ts';
import { type GuestCommand, initScript, MODULES, PROJECT } from './guest.ts';
import { USER_SPACE } from './fetch-user-space.ts';

/** This package's folder: the nearest above that has a package.json. */
export const PACKAGE_FOLDER = packageFolder(import.meta.dirname);

/** The parts of this package that run in the guest, so that `import 'kvm-arm64'` works there. */
const PACKAGE_PARTS = ['package.json', 'dist', 'prebuilds/linux-arm64'];

/** Files for the guest, by path from the project folder: content, or the path of a file or folder here. */
export type GuestFiles = Readonly<Record<string, string | Uint8Array>>;

/**
 * Writes the initrd and returns an open descriptor. The file has no name any more: it is gone when the last
 * process that has it open is.
 */
export async function openInitrd(
  command: GuestCommand,
  modules: readonly string[],
  files: GuestFiles,
): Promise<number> {
  const addition = archive(runEntries(command, modules, files));
  const base = join(cacheFolder(), USER_SPACE.folder, USER_SPACE.file);
  const file = join(cacheFolder(), `tmp-${randomUUID()}.cpio`);
  try {
    await copyFile(base, file, constants.COPYFILE_FICLONE);
    appendFileSync(file, addition);
    return openSync(file, 'r');
  } catch (cause) {
    const { message } = cause as Error;
    throw new LabError('ERR_LAB_UNAVAILABLE', `the lab's initrd cannot be written: ${message}`, { cause });
  } finally {
    rmSync(file, { force: true });
  }
}

function* runEntries(command: GuestCommand, modules: readonly string[], files: GuestFiles): Generator<Entry> {
  yield { path: 'init', mode: S_IFREG | 0o755, data: Buffer.from(initScript(command)) };
  yield { path: MODULES, mode: S_IFDIR | 0o755 };
  // Numbered, as the guest loads them in the order of their names.
  for (const [index, source] of modules.entries()) yield* entriesOf(source, `${MODULES}/${index}.ko`);
  const parts = PACKAGE_PARTS.map(part => [part, join(PACKAGE_FOLDER, part)] as const);
  for (const [name, source] of [
    ...parts.filter(([, source]) => existsSync(source)),
    ...Object.entries(files),
  ]) {
    const path = `${PROJECT}/${name}`;
    yield* foldersAbove(path);
    if (typeof source === 'string') yield* entriesOf(source, path);
    else yield { path, mode: S_IFREG | 0o644, data: source };
  }
}

function packageFolder(start: string): string {
  return existsSync(join(start, 'package.json')) ? start : packageFolder(dirname(start));
}
