/**
 * The profiles that the package has. Apart from their names, which a program needs before it emulates any.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { didYouMean } from '../abi/nearest.ts';
import { KvmError } from '../errors.ts';
import { modelHost } from './modelled/hosts.ts';
import { HOSTS, type HostProfile } from './profile.ts';

/**
 * Loads a profile by name.
 *
 * @throws KvmError `ERR_BAD_PROFILE` for a name that the package does not have, with the nearest one
 */
export function loadHost(name: string): HostProfile {
  if (!HOSTS.includes(name)) {
    throw new KvmError(
      'ERR_BAD_PROFILE',
      `There is no host ${JSON.stringify(name)}${didYouMean(name, HOSTS)}; there are ${HOSTS.join(', ')}, and files (./name or name.json)`,
    );
  }
  return modelHost(name, readHost) ?? readHost(name);
}

function readHost(name: string): HostProfile {
  return JSON.parse(readFileSync(new URL(`./hosts/${name}.json`, import.meta.url), 'utf8')) as HostProfile;
}
