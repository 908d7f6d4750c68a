/**
 * KVM on 64-bit Arm for Node: a real `/dev/kvm` where there is one, an emulated host everywhere else.
 *
 * @packageDocumentation
 */
import { checkOptions, checkString, invalidValue } from './abi/argument.ts';
import type { ClockKind } from './emulator/clock.ts';
import type { HostProfile } from './emulator/profile.ts';
import { Kvm as KvmBase } from './kvm.ts';
import { loadEmulator, loadNative, loadProbe } from './load-backend.ts';
import type { Probe, ProbeOptions } from './native/probe.ts';

export * from './api.ts';
export type { ClockKind } from './emulator/clock.ts';
export { DEFAULT_HOST, HOSTS, type HostProfile } from './emulator/profile.ts';
export type { Probe, ProbeOptions } from './native/probe.ts';

/**
 * Looks whether native KVM can be used here: the facts, the verdict, and the cure. Never throws; changes nothing.
 *
 * @example
 * ```ts
 * const { usable, reason, cure } = probe();
 * if (!usable) console.log(reason, cure);
 * ```
 */
export function probe(options?: ProbeOptions): Probe {
  return loadProbe().probe(options);
}

/** Options of {@link Kvm.open}. */
export interface OpenOptions {
  /**
   * `'native'`: this machine's KVM or an error; `'emulated'`: the emulated host; `'auto'` (default): native where this
   * is an ARM host, emulated where it is none. The environment's `KVM_ARM64_BACKEND` decides in place of `'auto'`.
   */
  backend?: 'auto' | 'native' | 'emulated' | undefined;
  /**
   * The emulated host: a name of {@link HOSTS}; the path of a profile that `kvm-arm64 record` wrote, which has a slash or
   * ends in `.json`; or a profile. Asking for one means `'emulated'`. Default: {@link DEFAULT_HOST}.
   */
  host?: string | HostProfile | undefined;
  /**
   * Whose time guests of the emulated host have: `'virtual'` (default) passes with the instructions that they execute, so
   * that a run repeats bit for bit; `'host'` is this machine's. Native KVM has its own.
   */
  clock?: ClockKind | undefined;
  /** The device. Default: `/dev/kvm`. */
  path?: string | undefined;
}

const BACKENDS = ['auto', 'native', 'emulated'] as const;
type BackendChoice = (typeof BACKENDS)[number];

/** KVM on whichever backend fits; see {@link Kvm.open}. */
export class Kvm extends KvmBase {
  /**
   * Opens KVM.
   *
   * `'auto'` takes the emulator only where there is no ARM KVM that could be used: not Linux, not arm64, no device, an
   * x86 KVM. On an ARM host whose `/dev/kvm` cannot be used (no permission, no addon) it throws, with the cure in the
   * message, rather than run against something else than the program meant. {@link Kvm.backend} tells which it was,
   * {@link Kvm.reason} why.
   *
   * @throws KvmError `ERR_BACKEND_UNAVAILABLE` with `hint`; `ERR_BAD_PROFILE` for an unknown host, or a damaged file
   * @example
   * ```ts
   * const kvm = Kvm.open();
   * console.log(kvm.backend, kvm.supportedPsciVersions());
   * kvm.close();
   * ```
   */
  static open(options: OpenOptions = {}): Kvm {
    checkOptions('options', options, ['backend', 'host', 'clock', 'path']);
    const { host, path, clock } = options;
    if (path !== undefined) checkString('path', path);
    const { backend, reason } = chooseBackend(options);
    if (backend === 'emulated') return new Kvm(loadEmulator().openEmulated(host, clock), reason);
    const found = probe({ path });
    if (backend === 'auto' && found.noArmHost)
      return new Kvm(loadEmulator().openEmulated(undefined, clock), found.reason);
    return new Kvm(loadNative().openDevice(found), found.reason);
  }
}

/** What was asked for, and by whom. */
function chooseBackend({ backend = 'auto', host }: OpenOptions): { backend: BackendChoice; reason: string } {
  const asked = oneOf('backend', backend);
  if (host !== undefined) {
    if (asked === 'native') {
      throw invalidValue('host', "absent with backend: 'native', which has no choice of host", host);
    }
    return { backend: 'emulated', reason: 'Asked for: this host.' };
  }
  const override = process.env['KVM_ARM64_BACKEND'];
  if (asked !== 'auto' || !override) return { backend: asked, reason: `Asked for: backend '${asked}'.` };
  return {
    backend: oneOf('KVM_ARM64_BACKEND', override),
    reason: `Asked for: KVM_ARM64_BACKEND=${override}.`,
  };
}

function oneOf(name: string, value: string): BackendChoice {
  const found = BACKENDS.find(known => known === value);
  if (found === undefined) throw invalidValue(name, BACKENDS.join(', '), value);
  return found;
}
