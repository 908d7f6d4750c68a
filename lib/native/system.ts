/**
 * `/dev/kvm` through the addon.
 *
 * @packageDocumentation
 */
import { KVM_IOCTL } from '../abi/ioctls.ts';
import type { EventFdHandle, KvmHandle, Result, VmHandle } from '../backend.ts';
import type { Addon, Fd } from './addon.ts';
import { NativeDescriptor } from './descriptor.ts';
import { NativeEventFd } from './event-fd.ts';
import { NativeVm } from './vm.ts';

class NativeKvm extends NativeDescriptor implements KvmHandle {
  readonly backend = 'native';
  /** 32-bit kernels with KVM are too old for the Node that this needs. */
  readonly architecture = 'arm64';
  readonly host: string;
  readonly pageSize: number;

  constructor(addon: Addon, fd: Fd, path: string) {
    super(addon, fd);
    this.host = path;
    this.pageSize = addon.pageSize;
  }

  getApiVersion(): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_GET_API_VERSION, 0);
  }

  checkExtension(cap: number): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_CHECK_EXTENSION, cap);
  }

  createVm(type: bigint): VmHandle | Result {
    const fd = this.addon.create(this.fd, KVM_IOCTL.KVM_CREATE_VM, type);
    return typeof fd === 'number' ? fd : new NativeVm(this.addon, fd, this.getVcpuMmapSize());
  }

  getVcpuMmapSize(): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_GET_VCPU_MMAP_SIZE, 0);
  }

  createEventFd(): EventFdHandle | Result {
    const fd = this.addon.createEventFd(this.fd);
    return typeof fd === 'number' ? fd : new NativeEventFd(this.addon, fd);
  }
}

/**
 * Opens a KVM device. Whether it is one, and one of an Arm host, is for `probe()` to say.
 *
 * @param path - the device, `/dev/kvm`
 * @returns the handle, or `-errno` of `open`
 */
export function openNative(addon: Addon, path: string): KvmHandle | Result {
  const fd = addon.open(path);
  return typeof fd === 'number' ? fd : new NativeKvm(addon, fd, path);
}
