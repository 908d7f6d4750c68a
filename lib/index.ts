/**
 * KVM on 64-bit Arm for Node: a real `/dev/kvm` where there is one, an emulated host everywhere else.
 *
 * @packageDocumentation
 */
import { checkObject, invalidValue } from './abi/argument.ts';
import type { KvmHandle } from './backend.ts';
import type { HostProfile } from './emulator/profile.ts';
import { openEmulated } from './emulator/system.ts';
import { Kvm as KvmBase } from './kvm.ts';
import { openDevice } from './native/open.ts';
import { probe } from './native/probe.ts';

export * from './api.ts';
export { DEFAULT_HOST, HOSTS, type HostProfile } from './emulator/profile.ts';
export { type Probe, type ProbeOptions, probe } from './native/probe.ts';

/** Options of {@link Kvm.open}. */
export interface OpenOptions {
  /**
   * `'native'`: this machine's KVM or an error; `'emulated'`: the emulated host; `'auto'` (default): native where this
   * is an ARM host, emulated where it is none. The environment's `KVM_ARM64_BACKEND` decides in place of `'auto'`.
   */
  backend?: 'auto' | 'native' | 'emulated' | undefined;
  /** The emulated host, by name or as a profile; asking for one means `'emulated'`. Default: {@link DEFAULT_HOST}. */
  host?: string | HostProfile | undefined;
  /** The device. Default: `/dev/kvm`. */
  path?: string | undefined;
}

const BACKENDS = ['auto', 'native', 'emulated'] as const;

/** KVM on whichever backend fits; see {@link Kvm.open}. */
export class Kvm extends KvmBase {
  /**
   * Opens KVM.
   *
   * `'auto'` takes the emulator only where there is no ARM KVM that could be used: not Linux, not arm64, no device, an
   * x86 KVM. On an ARM host whose `/dev/kvm` cannot be used (no permission, no addon) it throws, with the cure in the
   * message, rather than run against something else than the program meant. {@link Kvm.backend} tells which it was.
   *
   * @throws KvmError `ERR_BACKEND_UNAVAILABLE` with `hint`; `ERR_BAD_PROFILE` for an unknown host
   * @example
   * ```ts
   * const kvm = Kvm.open();
   * console.log(kvm.backend, kvm.supportedPsciVersions());
   * kvm.close();
   * ```
   */
  static open(options: OpenOptions = {}): Kvm {
    checkObject('options', options);
    return new Kvm(openHandle(options));
  }
}

function openHandle({ host, path, backend = 'auto' }: OpenOptions): KvmHandle {
  const chosen = chooseBackend(backend, host);
  if (chosen === 'emulated') return openEmulated(host);
  const found = probe({ path });
  return chosen === 'auto' && found.noArmHost ? openEmulated() : openDevice(found);
}

function chooseBackend(backend: string, host: unknown): (typeof BACKENDS)[number] {
  const asked = oneOf('backend', backend);
  if (host !== undefined) {
    if (asked === 'native')
      throw invalidValue('host', "absent with backend: 'native', which has no choice of host", host);
    return 'emulated';
  }
  const override = process.env['KVM_ARM64_BACKEND'];
  return asked === 'auto' && override ? oneOf('KVM_ARM64_BACKEND', override) : asked;
}

function oneOf(name: string, value: string): (typeof BACKENDS)[number] {
  const found = BACKENDS.find(known => known === value);
  if (found === undefined) throw invalidValue(name, BACKENDS.join(', '), value);
  return found;
}
