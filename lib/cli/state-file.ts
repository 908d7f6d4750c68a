/**
 * State files on the command line.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseRegister } from '../abi/register-names.ts';
import { HOSTS, Kvm } from '../index.ts';
import { decodeState, type SavedState } from '../state.ts';
import type { Option } from './command.ts';
import { UsageError } from './usage-error.ts';

/** `--omit`. */
export const OMIT_OPTION: Option = {
  value: 'NAMES',
  summary: 'registers that are not restored, by name or id, with commas',
};

/** What `--omit` names. */
export function omitted(options: ReadonlyMap<string, string>): bigint[] {
  const names = options.get('omit');
  return names === undefined || names === '' ? [] : names.split(',').map(parseRegister);
}

/**
 * Reads a state file.
 *
 * @throws UsageError where there is none; KvmError `ERR_BAD_STATE`
 */
export function readState(file: string): SavedState {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (HOSTS.includes(file as (typeof HOSTS)[number]))
      throw new UsageError(`${file} is a host, and the name of a state file is wanted there`);
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    return decodeState(bytes);
  } catch (error) {
    if (!isProfile(file)) throw error;
    throw new UsageError(`${file} is a host that record wrote, and a state file is wanted there`);
  }
}

function isProfile(file: string): boolean {
  try {
    Kvm.open({ host: resolve(file) }).close();
    return true;
  } catch {
    return false;
  }
}
