/**
 * The options that choose which KVM answers.
 *
 * @packageDocumentation
 */
import { findHost } from '../emulator/host-file.ts';
import { DEFAULT_HOST, type HostProfile } from '../emulator/profile.ts';
import type { Context, Options } from './command.ts';

/** Options of the commands that ask a KVM. */
export const HOST_OPTIONS: Options = {
  backend: {
    value: 'BACKEND',
    choices: ['auto', 'native', 'emulated'],
    summary:
      'auto (default: native on an ARM host, emulated elsewhere), native, emulated; or KVM_ARM64_BACKEND',
  },
  host: {
    value: 'HOST',
    summary:
      'the emulated host: a name (see kvm-arm64 hosts), or a FILE that record wrote (with a slash, or .json)',
  },
};

/** The profile of the emulated host that answers; undefined where this machine's KVM does. */
export function profileOf({ open, options }: Context): HostProfile | undefined {
  return open().backend === 'native' ? undefined : findHost(options.get('host') ?? DEFAULT_HOST);
}
