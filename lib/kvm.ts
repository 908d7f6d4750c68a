/**
 * An open KVM, native or emulated: what it can do, and the VMs made on it.
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned } from './abi/argument.ts';
import { type Capability, capabilityNumber, KVM_CAP } from './abi/capabilities.ts';
import { formatPsciVersion, type PsciVersion, psciVersionCandidates } from './abi/psci.ts';
import { type Architecture, psciVersionId } from './abi/register-id.ts';
import { DEFAULT_IPA_BITS } from './abi/vm-type.ts';
import type { BackendName, KvmHandle } from './backend.ts';
import { ioctlError } from './errors.ts';
import { EventFd } from './event-fd.ts';
import { hintFor } from './hints.ts';
import { Resource } from './resource.ts';
import { Vm } from './vm.ts';

/** Options of {@link Kvm.createVm}. */
export interface VmOptions {
  /**
   * Bits of guest physical (IPA) address space, 32 to the host's limit (`KVM_CAP_ARM_VM_IPA_SIZE`).
   * Default: 40 as in the kernel, or the host's limit where that is smaller.
   */
  ipaBits?: number | undefined;
}

/**
 * KVM as a program sees it. Made by `Kvm.open()`; which backend answers is told by {@link backend}.
 *
 * Closing it closes its VMs.
 */
export class Kvm extends Resource<KvmHandle> {
  /** Which backend answers: the machine's own kernel, or the emulated host. */
  readonly backend: BackendName;
  /** What answers, for people: the device's path, or the emulated host's name. */
  readonly host: string;
  /** Whose register ids and vCPU features these are: `'arm64'`, or `'arm'` on an emulated 32-bit host. */
  readonly architecture: Architecture;
  /** Bytes of a page of the host, of which guest memory is made: 4096, or 16 or 64 KiB on some ARM64 hosts. */
  readonly pageSize: number;
  /** Why this backend answers, in a sentence: what the machine lacks, or who asked for it. */
  readonly reason: string;

  /** @internal Use `Kvm.open()`. */
  constructor(handle: KvmHandle, reason: string) {
    super('Kvm', 'system', handle);
    this.backend = handle.backend;
    this.host = handle.host;
    this.architecture = handle.architecture;
    this.pageSize = handle.pageSize;
    this.reason = reason;
  }

  /** `KVM_GET_API_VERSION`: 12 on every kernel since 2.6.22. */
  apiVersion(): number {
    return this.check('KVM_GET_API_VERSION', this.handle.getApiVersion());
  }

  /**
   * `KVM_CHECK_EXTENSION`: 0 where the host lacks the capability, else 1 or the capability's own number.
   *
   * @param cap - its kernel name, with or without `KVM_CAP_`, or any number
   * @throws KvmError EINVAL for the few that only a VM can answer (`KVM_CAP_MSI_DEVID`)
   * @example
   * ```ts
   * kvm.checkExtension('ARM_PSCI_0_2'); // 1
   * kvm.checkExtension('ARM_VM_IPA_SIZE'); // 48 on a Neoverse N1 under QEMU
   * ```
   */
  checkExtension(cap: Capability | number): number {
    return this.check('KVM_CHECK_EXTENSION', this.handle.checkExtension(capabilityNumber(cap)));
  }

  /** `KVM_GET_VCPU_MMAP_SIZE`: bytes of the area that a vCPU shares with its program (`struct kvm_run`). */
  vcpuMmapSize(): number {
    return this.check('KVM_GET_VCPU_MMAP_SIZE', this.handle.getVcpuMmapSize());
  }

  /**
   * `KVM_CREATE_VM`.
   *
   * @throws KvmError EINVAL where the host cannot have that many IPA bits; RangeError for a number that is none
   */
  createVm(options: VmOptions = {}): Vm {
    const { handle } = this;
    checkOptions('options', options, ['ipaBits']);
    const { ipaBits = this.#defaultIpaBits() } = options;
    checkUnsigned('ipaBits', ipaBits, 0xff);
    const vm = handle.createVm(BigInt(ipaBits));
    if (typeof vm === 'number') {
      throw ioctlError('KVM_CREATE_VM', vm, {
        hint: hintFor('KVM_CREATE_VM', vm, { ipaBits, ipaLimit: this.#ipaLimit() }),
      });
    }
    return new Vm(vm, this, ipaBits || DEFAULT_IPA_BITS);
  }

  /**
   * An eventfd, to be given to VMs: {@link Vm.assignIrqFd}, {@link Vm.assignIoEventFd}.
   *
   * @throws KvmError EMFILE: this process has no descriptor left
   */
  createEventFd(): EventFd {
    const event = this.handle.createEventFd();
    if (typeof event === 'number') throw ioctlError('eventfd', event);
    return new EventFd(event, this);
  }

  #ipaLimit(): number {
    return this.handle.checkExtension(KVM_CAP.KVM_CAP_ARM_VM_IPA_SIZE);
  }

  /** 0 asks for the kernel's 40, which a host with a smaller limit (some Apple and phone cores) refuses. */
  #defaultIpaBits(): number {
    const limit = this.#ipaLimit();
    return limit > 0 && limit < DEFAULT_IPA_BITS ? limit : 0;
  }

  /**
   * The PSCI versions that this host lets a guest have, oldest first, found by trying each on a scratch VM that
   * is closed again. A version between 0.2 and 3.15 that only a later kernel knows is found, too.
   *
   * `'0.1'` is not among them: that is what a vCPU without the feature `PSCI_0_2` has, and no choice. A kernel
   * before 4.17 gives no choice at all.
   *
   * @example
   * ```ts
   * kvm.supportedPsciVersions(); // ['0.2', '1.0', '1.1'] on Linux 6.12
   * ```
   */
  supportedPsciVersions(): PsciVersion[] {
    const vm = this.createVm();
    try {
      const vcpu = vm.createVcpu(0);
      vcpu.init();
      const id = psciVersionId(this.architecture);
      const tried = vcpu.setRegs(psciVersionCandidates().map(version => [id, version]));
      return Array.from(tried, ([, version]) => formatPsciVersion(version));
    } finally {
      vm.close();
    }
  }
}
