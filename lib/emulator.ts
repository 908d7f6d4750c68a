/**
 * `kvm-arm64/emulator`: the emulated host alone, with no trace of the addon or its loader.
 *
 * @packageDocumentation
 */
import { checkOptions } from './abi/argument.ts';
import type { ClockKind } from './emulator/clock.ts';
import type { HostProfile } from './emulator/profile.ts';
import { openEmulated } from './emulator/system.ts';
import { Kvm as KvmBase } from './kvm.ts';

export * from './api.ts';
export type { ClockKind } from './emulator/clock.ts';
export { DEFAULT_HOST, HOSTS, type HostProfile } from './emulator/profile.ts';

/** Options of {@link Kvm.open}. */
export interface OpenOptions {
  /**
   * A name of {@link HOSTS}; the path of a profile that `kvm-arm64 record` wrote, which has a slash or ends in `.json`; or
   * a profile. Default: {@link DEFAULT_HOST}.
   */
  host?: string | HostProfile | undefined;
  /**
   * Whose time guests have: `'virtual'` (default) passes with the instructions that they execute, so that a run repeats bit
   * for bit; `'host'` is this machine's.
   */
  clock?: ClockKind | undefined;
}

/** KVM on an emulated host. */
export class Kvm extends KvmBase {
  /**
   * Opens an emulated host.
   *
   * @throws KvmError `ERR_BAD_PROFILE` for an unknown host, or a damaged file
   */
  static open(options: OpenOptions = {}): Kvm {
    checkOptions('options', options, ['host', 'clock']);
    return new Kvm(openEmulated(options.host, options.clock), 'Asked for: kvm-arm64/emulator.');
  }
}
