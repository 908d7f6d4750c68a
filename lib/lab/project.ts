/**
 * The project that a run takes along. In the guest it has the path that it has here, so that absolute paths, links
 * and the places in stack traces hold on both sides.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Entry, entriesOf, foldersAbove, S_IFDIR, S_IFLNK } from './cpio.ts';

/** Folders that no script needs. */
const LEFT_OUT: readonly string[] = ['.git', '.hg', '.svn', '.cache', '.nyc_output', '.turbo', '.vite'];

/** The nearest folder from here upwards that has a package.json. */
export function packageFolder(from: string): string | undefined {
  if (existsSync(join(from, 'package.json'))) return from;
  return dirname(from) === from ? undefined : packageFolder(dirname(from));
}

/** The folder to take along for a script that is started in `cwd`: the package's, or `cwd` where there is none. */
export function projectFolder(cwd: string): string {
  const folder = realpathSync(cwd);
  return packageFolder(folder) ?? folder;
}

/**
 * A project's files, and what links in them lead to.
 *
 * @param parts - files and folders of the project; default: all of it, and the `node_modules` above it
 */
export function* projectEntries(folder: string, parts: readonly string[] | undefined): Generator<Entry> {
  const own = (parts ?? ['.', ...modulesAbove(folder)])
    .map(part => join(folder, part))
    .filter(path => existsSync(path));
  const roots = [...own];
  for (const root of roots) {
    // Links lengthen the list while it is walked. None takes along what is around the project; but that of a command
    // in node_modules/.bin comes before that of its package.
    const follow = (target: string) => {
      const isTaken = roots.some(taken => isWithin(target, taken));
      if (!isTaken && !own.some(one => isWithin(one, target))) roots.push(target);
    };
    yield* foldersAbove(root.slice(1));
    yield* walk(root, follow);
  }
}

function* walk(path: string, follow: (target: string) => void): Generator<Entry> {
  const stat = lstatSync(path);
  const inGuest = path.slice(1);
  if (stat.isDirectory()) {
    if (isForAnotherCpu(path)) return;
    yield { path: inGuest, mode: S_IFDIR | (stat.mode & 0o777) };
    for (const name of readdirSync(path)) {
      if (!LEFT_OUT.includes(name)) yield* walk(join(path, name), follow);
    }
  } else if (stat.isSymbolicLink()) {
    const target = existsSync(path) ? realpathSync(path) : readlinkSync(path);
    if (existsSync(path)) follow(target);
    yield { path: inGuest, mode: S_IFLNK | 0o777, data: Buffer.from(target) };
  } else {
    yield* entriesOf(path, inGuest);
  }
}

/** Compilers and linters come as packages of one CPU; they are most of many a node_modules, and cannot run there. */
function isForAnotherCpu(folder: string): boolean {
  const manifest = join(folder, 'package.json');
  if (!folder.includes('node_modules') || !existsSync(manifest)) return false;
  try {
    const { cpu } = JSON.parse(readFileSync(manifest, 'utf8')) as { cpu?: unknown };
    return Array.isArray(cpu) && !cpu.includes('arm64') && cpu.every(name => !`${name}`.startsWith('!'));
  } catch {
    return false; // not a package, whatever it is
  }
}

/** Node looks for packages in the folders above, too. */
function modulesAbove(folder: string): string[] {
  const above = dirname(folder);
  if (above === folder) return [];
  const steps = foldersAbove(folder.slice(1)).map(({ path }) => `/${path}/node_modules`);
  return steps.filter(path => existsSync(path)).map(path => relative(folder, path));
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
