/**
 * The emulated `/dev/kvm` (`kvm_dev_ioctl`, virt/kvm/kvm_main.c).
 *
 * @packageDocumentation
 */
import { invalidType, invalidValue } from '../abi/argument.ts';
import { ERRNO } from '../abi/errno.ts';
import type { KvmHandle, Result } from '../backend.ts';
import { CLOCKS, type ClockKind } from './clock.ts';
import { EmulatedEventFd } from './event-fd.ts';
import { findHost, isPath } from './host-file.ts';
import { flatIoctl } from './ioctl.ts';
import { pageSizeOf } from './memory-slots.ts';
import { modelOf } from './model.ts';
import { DEFAULT_HOST, type HostProfile } from './profile.ts';
import type { HostModel } from './state.ts';
import { EmulatedVm } from './vm.ts';

/** Profiles that came with the package, by name: each is read once. */
const loaded = new Map<string, HostProfile>();

/**
 * Opens an emulated host.
 *
 * @param host - a profile, the name of one that the package has, or the path of one (see {@link findHost})
 * @param clock - whose time its VMs have
 * @throws KvmError `ERR_BAD_PROFILE` for an unknown name, or what is no profile
 */
export function openEmulated(
  host: string | HostProfile = DEFAULT_HOST,
  clock: ClockKind = 'virtual',
): KvmHandle {
  if (typeof host !== 'string' && typeof host !== 'object') {
    throw invalidType('host', 'the name of a host, the path of a profile, or a profile', host);
  }
  if (!CLOCKS.includes(clock)) throw invalidValue('clock', CLOCKS.join(', '), clock);
  if (typeof host !== 'string') return new EmulatedKvm(modelOf(host), clock);
  let profile = loaded.get(host);
  if (profile === undefined) {
    profile = findHost(host);
    // A file may be another the next time.
    if (!isPath(host)) loaded.set(host, profile);
  }
  return new EmulatedKvm(modelOf(profile), clock);
}

/** `KvmHandle` of the emulated host. */
class EmulatedKvm implements KvmHandle {
  readonly backend = 'emulated';
  readonly host: string;
  readonly architecture: 'arm64' | 'arm';
  readonly pageSize: number;
  /** Undefined after close. */
  #model: HostModel | undefined;
  readonly #clock: ClockKind;

  constructor(model: HostModel, clock: ClockKind) {
    this.#model = model;
    this.#clock = clock;
    this.host = model.profile.name;
    this.architecture = model.profile.architecture ?? 'arm64';
    this.pageSize = pageSizeOf(model.profile);
  }

  getApiVersion(): Result {
    return this.#model?.profile.apiVersion ?? -ERRNO.EBADF;
  }

  checkExtension(cap: number): Result {
    if (this.#model === undefined) return -ERRNO.EBADF;
    return this.#model.profile.capabilities[cap] ?? 0;
  }

  createVm(type: bigint): EmulatedVm | Result {
    if (this.#model === undefined) return -ERRNO.EBADF;
    const { min, max, default: kernelDefault } = this.#model.profile.ipaBits;
    // Bits 7:0 are the IPA bits (`kvm_init_ipa_range`, arch/arm64/kvm/mmu.c); no other type bit is known.
    if (type > 0xffn) return -ERRNO.EINVAL;
    const ipaBits = Number(type) || kernelDefault;
    // A kernel before 4.20 has its default and takes no number: its range is 0 to 0.
    const isInRange = max === 0 ? type === 0n : ipaBits >= min && ipaBits <= max;
    return isInRange ? new EmulatedVm(this.#model, ipaBits, this.#clock) : -ERRNO.EINVAL;
  }

  getVcpuMmapSize(): Result {
    return this.#model?.profile.vcpuMmapSize ?? -ERRNO.EBADF;
  }

  createEventFd(): EmulatedEventFd | Result {
    return this.#model === undefined ? -ERRNO.EBADF : new EmulatedEventFd();
  }

  ioctl(request: number, argument: bigint | Uint8Array): Result {
    if (this.#model === undefined) return -ERRNO.EBADF;
    return flatIoctl(
      request,
      argument,
      {},
      {
        KVM_GET_API_VERSION: arg => (arg === 0n ? this.getApiVersion() : -ERRNO.EINVAL),
        KVM_CHECK_EXTENSION: cap => (cap > 0xffff_ffffn ? 0 : this.checkExtension(Number(cap))),
        KVM_GET_VCPU_MMAP_SIZE: arg => (arg === 0n ? this.getVcpuMmapSize() : -ERRNO.EINVAL),
      },
    );
  }

  close(): void {
    this.#model = undefined;
  }
}
