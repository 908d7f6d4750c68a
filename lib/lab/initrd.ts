/** The initrd of one run: the shared user space, then what the kernel and the run add. */
import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  rmSync,
} from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { archive, type Entry, entriesOf, foldersAbove, S_IFDIR, S_IFREG } from './cpio.ts';
import { LabError } from './error.ts';
import { USER_SPACE } from './fetch-user-space.ts';
import { MODULES } from './guest.ts';
import { packageFolder, projectEntries } from './project.ts';

/** This package's folder. */
export const PACKAGE_FOLDER = packageFolder(import.meta.dirname)!;

/** The parts of this package that run in the guest, where a script that has no other finds it by its name. */
export const PACKAGE_PARTS: readonly string[] = ['package.json', 'dist/lib', 'prebuilds/linux-arm64'];

/** Files for the guest, by path from the project folder: content, or the path of a file or folder here. */
export type GuestFiles = Readonly<Record<string, string | Uint8Array>>;

/** What is in an initrd beside the user space. */
export interface InitrdContent {
  /** The script of the first process. */
  readonly init: string;
  /** Paths of kernel modules, in the order of loading. */
  readonly modules: readonly string[];
  /** The project folder, and which parts of it; see {@link projectEntries}. */
  readonly project: string;
  readonly parts: readonly string[] | undefined;
  readonly files: GuestFiles;
}

const MIB = 2 ** 20;
const DEFAULT_MEMORY = 2048;

/** The initrd is in memory twice while the kernel unpacks it, and something must be left to work with. */
const memoryFor = (bytes: number) => 2 * Math.ceil(bytes / MIB) + 256;

/** An initrd, open. */
export interface Initrd {
  readonly fd: number;
  /** The memory in MiB of a machine that boots with it: as asked for, or enough. */
  readonly memory: number;
}

/**
 * Writes the initrd. The file has no name any more: it is gone when the last process that has it open is.
 *
 * @param memory - the machine's, in MiB, if that is given
 */
export function openInitrd(content: InitrdContent, memory: number | undefined): Initrd {
  const file = join(cacheFolder(), `tmp-${randomUUID()}.cpio`);
  const limit = memory ?? Math.floor(totalmem() / MIB);
  try {
    copyFileSync(join(cacheFolder(), USER_SPACE.folder, USER_SPACE.file), file, constants.COPYFILE_FICLONE);
    const appended = openSync(file, 'a');
    try {
      let size = fstatSync(appended).size;
      for (const piece of archive(entriesOfRun(content))) {
        size += piece.length;
        if (memoryFor(size) > limit) throw tooLittleMemory(limit, content);
        appendFileSync(appended, piece);
      }
      return {
        fd: openSync(file, 'r'),
        memory: memory ?? Math.max(DEFAULT_MEMORY, memoryFor(size) + DEFAULT_MEMORY / 2),
      };
    } finally {
      closeSync(appended);
    }
  } catch (cause) {
    if (cause instanceof LabError) throw cause;
    const { message } = cause as Error;
    throw new LabError('ERR_LAB_UNAVAILABLE', `the lab's initrd cannot be written: ${message}`, { cause });
  } finally {
    rmSync(file, { force: true });
  }
}

function tooLittleMemory(limit: number, { project }: InitrdContent): LabError {
  return new LabError(
    'ERR_LAB_UNAVAILABLE',
    `${limit} MiB of memory are too little for the lab's user space and the project ${project}`,
  );
}

function* entriesOfRun({ init, modules, project, parts, files }: InitrdContent): Generator<Entry> {
  yield { path: 'init', mode: S_IFREG | 0o755, data: Buffer.from(init) };
  yield { path: MODULES, mode: S_IFDIR | 0o755 };
  // Numbered, as the guest loads them in the order of their names.
  for (const [index, source] of modules.entries()) yield* entriesOf(source, `${MODULES}/${index}.ko`);
  yield* projectEntries(project, parts);
  if (project !== PACKAGE_FOLDER) {
    for (const part of PACKAGE_PARTS) {
      const source = join(PACKAGE_FOLDER, part);
      if (existsSync(source)) yield* placed(source, `node_modules/kvm-arm64/${part}`);
    }
  }
  for (const [name, source] of Object.entries(files)) yield* placed(source, join(project, name).slice(1));
}

function* placed(source: string | Uint8Array, path: string): Generator<Entry> {
  yield* foldersAbove(path);
  if (typeof source === 'string') yield* entriesOf(source, path);
  else yield { path, mode: S_IFREG | 0o644, data: source };
}
