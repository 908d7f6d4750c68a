/**
 * `kvm-arm64/native`: this machine's KVM or an error; never the emulator.
 *
 * @packageDocumentation
 */
import { checkOptions, checkString } from './abi/argument.ts';
import { Kvm as KvmBase } from './kvm.ts';
import { openDevice } from './native/open.ts';
import { probe } from './native/probe.ts';

export * from './api.ts';
export { type Probe, type ProbeOptions, probe } from './native/probe.ts';

/** Options of {@link Kvm.open}. */
export interface OpenOptions {
  /** The device. Default: `/dev/kvm`. */
  path?: string | undefined;
}

/** KVM of this machine. */
export class Kvm extends KvmBase {
  /**
   * Opens the device.
   *
   * @throws KvmError `ERR_BACKEND_UNAVAILABLE`, with the cause in the message and the cure in `hint`
   */
  static open(options: OpenOptions = {}): Kvm {
    checkOptions('options', options, ['path']);
    const { path } = options;
    if (path !== undefined) checkString('path', path);
    const found = probe({ path });
    return new Kvm(openDevice(found), found.reason);
  }
}
