/**
 * Writes initramfs archives: cpio "newc", as the kernel reads it (Documentation/driver-api/early-userspace/
 * buffer-format.rst). Ours, because no machine must have cpio for it, and device nodes need no root this way.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** One file of an archive. Folders come before what they hold. */
export interface Entry {
  /** Path in the guest, without a leading slash. */
  readonly path: string;
  /** File type and permission bits, as in `struct stat`. */
  readonly mode: number;
  /** Content, or the target of a symbolic link. */
  readonly data?: Uint8Array;
  /** Major and minor number of a device node. */
  readonly device?: readonly [number, number];
}

/** File types of {@link Entry.mode}. */
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;

const EMPTY = new Uint8Array();

/**
 * An archive of the entries, piece by piece. Archives may follow each other in one initrd; a later file replaces an
 * earlier.
 */
export function* archive(entries: Iterable<Entry>): Generator<Uint8Array> {
  let inode = 0;
  for (const entry of entries) yield* member(entry, ++inode);
  yield* member({ path: 'TRAILER!!!', mode: 0 }, ++inode);
}

function* member({ path, mode, data = EMPTY, device = [0, 0] }: Entry, inode: number): Generator<Uint8Array> {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, mtime, size, device of the file (two), of the node (two), name size, check
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length, 0];
  const header = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`;
  yield aligned(Buffer.concat([Buffer.from(header), name]));
  yield aligned(data);
}

/** The entries of a file, a symbolic link or a whole folder of this machine, put at `path`. */
export function* entriesOf(source: string, path: string): Generator<Entry> {
  const stat = lstatSync(source);
  const permissions = stat.mode & 0o777;
  if (stat.isDirectory()) {
    yield { path, mode: S_IFDIR | permissions };
    for (const name of readdirSync(source).sort()) yield* entriesOf(join(source, name), `${path}/${name}`);
  } else if (stat.isSymbolicLink()) {
    yield { path, mode: S_IFLNK | 0o777, data: Buffer.from(readlinkSync(source)) };
  } else if (stat.isFile()) {
    yield { path, mode: S_IFREG | permissions, data: readFileSync(source) };
  }
}

/** The folders above a path, outermost first. */
export function foldersAbove(path: string): Entry[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => ({ path: names.slice(0, index + 1).join('/'), mode: S_IFDIR | 0o755 }));
}

/** Header with name, and content, each end on a multiple of four. */
function aligned(bytes: Uint8Array): Uint8Array {
  const surplus = bytes.length % 4;
  return surplus === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - surplus)]);
}
