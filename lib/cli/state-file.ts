/**
 * State files on the command line.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { parseRegister } from '../abi/register-names.ts';
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
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  return decodeState(bytes);
}
