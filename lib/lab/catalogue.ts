/** What a Debian mirror has for the lab: its suites, and the newest kernel of each series in them. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, withTemporaryFolder } from './cache.ts';
import { debianMirror, openSuite, type Suite } from './debian.ts';
import { LabError } from './error.ts';
import { byVersion, type KernelOffer } from './kernels.ts';

/** Debian's suites with kernels; a series that several have comes from the first. */
export const SUITES = ['bullseye', 'bookworm', 'trixie', 'trixie-backports', 'forky'] as const;

/** What a mirror had when it was read. */
export interface Catalogue {
  /** ISO 8601. */
  readonly read: string;
  /** The newest of each series, oldest first. */
  readonly kernels: readonly KernelOffer[];
  /** The suites that the mirror does not have. */
  readonly missing: readonly string[];
}

/** A mirror with its indices read. */
export interface Mirror {
  /** The suites that it has, by name. */
  readonly suites: ReadonlyMap<string, Suite>;
  readonly catalogue: Catalogue;
}

const FILE = 'catalogue.json';

/** The packages of a kernel's image: `linux-image`, which from 6.19 is empty, and then `linux-binary`. */
export const KERNEL_PACKAGE = /^linux-(image|binary)-([0-9].*-cloud-arm64)$/;

/** The newest catalogue in the cache, if there is one. */
export function lastCatalogue(): Catalogue | undefined {
  try {
    return JSON.parse(readFileSync(join(cacheFolder(), FILE), 'utf8'));
  } catch {
    return undefined; // never read, or not ours
  }
}

/** Reads a mirror's indices into `folder`, and puts the catalogue into the cache. */
export async function readMirror(folder: string, mirror: string | undefined): Promise<Mirror> {
  const from = mirror ?? (await debianMirror());
  const opened = await Promise.all(
    SUITES.map(async name => [name, await openSuite(name, join(folder, name), from)] as const),
  );
  const suites = new Map(opened.flatMap(([name, suite]) => (suite === undefined ? [] : [[name, suite]])));
  const kernels = new Map<string, KernelOffer>();
  for (const [name, suite] of suites) {
    for (const offer of await kernelsOf(name, suite)) {
      if (!kernels.has(offer.series)) kernels.set(offer.series, offer);
    }
  }
  if (kernels.size === 0) {
    throw new LabError('ERR_LAB_SETUP', `the mirror has no kernels: none of the suites ${SUITES.join(', ')}`);
  }
  const catalogue: Catalogue = {
    read: new Date().toISOString(),
    kernels: [...kernels.values()].sort(byVersion),
    missing: SUITES.filter(name => !suites.has(name)),
  };
  const written = join(folder, FILE);
  writeFileSync(written, JSON.stringify(catalogue));
  renameSync(written, join(cacheFolder(), FILE));
  return { suites, catalogue };
}

/** Reads the mirror for its catalogue alone. */
export async function readCatalogue(mirror: string | undefined): Promise<Catalogue> {
  let catalogue: Catalogue | undefined;
  await withTemporaryFolder(async folder => {
    ({ catalogue } = await readMirror(folder, mirror));
  });
  return catalogue!;
}

/** The newest kernel of each series of a suite. */
async function kernelsOf(suite: string, { find }: Suite): Promise<KernelOffer[]> {
  const offers = (await find(KERNEL_PACKAGE)).flatMap(({ name, version: packageVersion }) => {
    const release = KERNEL_PACKAGE.exec(name)?.[2];
    const [version, series] = /^(\d+\.\d+)[.\d]*/.exec(packageVersion) ?? [];
    if (release === undefined || version === undefined || series === undefined) return [];
    return [{ series, version, suite, release }];
  });
  return [...new Map(offers.sort(byVersion).map(offer => [offer.series, offer])).values()];
}
