/**
 * Fetches Debian packages for arm64 on a machine of another architecture and release, without touching
 * that machine's own package state: apt runs on private lists, cache and sources. The mirror is the one the
 * machine's apt is configured for unless another is named, and apt checks signatures and hashes as always.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';
import { LabError } from './error.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** One suite of the Debian archive, for arm64. */
export interface Suite {
  /** The packages whose name matches, each with its newest version. */
  find(name: RegExp): Promise<{ name: string; version: string }[]>;
  /** Downloads the newest version of each package and unpacks them all into `folder`; returns versions by name. */
  unpack(names: readonly string[], folder: string): Promise<Record<string, string>>;
}

/** What apt says of a suite that the mirror does not have, or no longer: old ones move to an archive. */
const NO_SUCH_SUITE = /does not have a Release file|no longer has a Release file/;

/** Reads the index of `suite` into a private state below `folder`; `undefined` where the mirror has no such suite. */
export async function openSuite(suite: string, folder: string, mirror: string): Promise<Suite | undefined> {
  if (!existsSync(KEYRING)) {
    throw new LabError('ERR_LAB_SETUP', `${KEYRING} is missing: install debian-archive-keyring`);
  }
  const state = join(folder, 'apt');
  const sources = join(state, 'sources.list');
  for (const part of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(state, part), { recursive: true });
  }
  await writeFile(sources, `deb [arch=arm64 signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  const options = Object.entries({
    'Dir::State::Lists': join(state, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(state, 'cache'),
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'APT::Architecture': 'arm64',
    'APT::Architectures': 'arm64',
    'Acquire::Retries': '3',
    'Acquire::Languages': 'none',
    'APT::Update::Error-Mode': 'any', // otherwise an unreachable mirror is a warning and success
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  try {
    await command('apt-get', ['update', ...options]);
  } catch (error) {
    if (error instanceof LabError && NO_SUCH_SUITE.test(error.message)) return undefined;
    throw error;
  }

  return {
    async find(name) {
      const found = await command('apt-cache', ['search', '--names-only', ...options, name.source]);
      const names = found.split('\n').flatMap(line => line.split(' ')[0] || []);
      if (names.length === 0) return [];
      const records = await command('apt-cache', ['show', '--no-all-versions', ...options, ...names]);
      return [...records.matchAll(/^Package: (.*)$[\s\S]*?^Version: (.*)$/gm)].map(([, name, version]) => ({
        name: name!,
        version: version!,
      }));
    },
    async unpack(names, target) {
      const downloads = join(state, 'downloads');
      for (const path of [downloads, target]) await mkdir(path, { recursive: true });
      await command('apt-get', ['download', ...options, ...names], downloads);
      const versions: Record<string, string> = {};
      for (const name of await readdir(downloads)) {
        const file = join(downloads, name);
        const shown = await command('dpkg-deb', ['--show', file]); // name, tab, version
        const [packageName, version] = shown.trim().split('\t') as [string, string];
        if (!names.includes(packageName)) continue;
        versions[packageName] = version;
        await command('dpkg-deb', ['--extract', file, target]);
      }
      return versions;
    },
  };
}

/** The Debian archive among the machine's apt sources; an index that apt has read tells whose it is. */
export async function debianMirror(): Promise<string> {
  const targets = await command('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN)|$(LABEL)|$(REPO_URI)',
    'Created-By: Packages',
  ]);
  const mirror = targets
    .split('\n')
    .map(line => line.split('|'))
    .find(([origin, label]) => origin === 'Debian' && label === 'Debian')?.[2];
  if (mirror === undefined) {
    throw new LabError(
      'ERR_LAB_SETUP',
      'the lab takes its kernel from a Debian mirror, and apt knows none here: name one with --mirror',
    );
  }
  return mirror;
}
