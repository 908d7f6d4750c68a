/**
 * A host profile in a file.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { KvmError } from '../errors.ts';
import { checkProfile } from './check-profile.ts';
import { loadHost } from './load-host.ts';
import type { HostProfile } from './profile.ts';

/**
 * The profile that a text means: a file's where it has a slash or ends in `.json`, else the one that the package has by
 * that name.
 *
 * @throws KvmError `ERR_BAD_PROFILE`
 */
export function findHost(nameOrFile: string): HostProfile {
  return isPath(nameOrFile) ? readHost(nameOrFile) : loadHost(nameOrFile);
}

/** Whether a text is the path of a profile, and not a name. */
export function isPath(nameOrFile: string): boolean {
  return /[/\\]|\.json$/.test(nameOrFile);
}

function readHost(path: string): HostProfile {
  const bad = (why: string, cause: unknown) =>
    new KvmError('ERR_BAD_PROFILE', `${path} ${why}: ${messageOf(cause)}`, { path, cause });
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw bad('cannot be read', cause);
  }
  let profile: HostProfile;
  try {
    profile = JSON.parse(text);
  } catch (cause) {
    throw bad('is no host profile: it is not JSON, or not all of it', cause);
  }
  return checkProfile(profile, path);
}

/** Without the end that Node gives to errors of files: the call, and the path once more. */
function messageOf(cause: unknown): string {
  return (cause as Error).message.replace(/, \w+( '.*')?$/s, '');
}
