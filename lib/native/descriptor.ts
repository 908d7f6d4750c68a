/**
 * What the handles of this backend share: the escape hatch, device attributes and the end.
 *
 * @packageDocumentation
 */
import { KVM_IOCTL } from '../abi/ioctls.ts';
import { DEVICE_ATTR_ADDR, encodeDeviceAttr } from '../abi/structs.ts';
import type { AttrHandle, FdHandle, Result } from '../backend.ts';
import type { Addon, Fd } from './addon.ts';

/** Any descriptor of KVM. */
export class NativeDescriptor implements FdHandle {
  protected readonly addon: Addon;
  protected readonly fd: Fd;

  constructor(addon: Addon, fd: Fd) {
    this.addon = addon;
    this.fd = fd;
  }

  ioctl(request: number, argument: bigint | Uint8Array): Result {
    return this.addon.ioctl(this.fd, request, argument);
  }

  close(): void {
    this.addon.close(this.fd);
  }
}

/** One with device attributes. */
export class NativeAttrDescriptor extends NativeDescriptor implements AttrHandle {
  hasDeviceAttr(group: number, attr: bigint): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_HAS_DEVICE_ATTR, encodeDeviceAttr(group, attr));
  }

  getDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    const struct = encodeDeviceAttr(group, attr);
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_GET_DEVICE_ATTR, struct, data, DEVICE_ATTR_ADDR);
  }

  setDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    const struct = encodeDeviceAttr(group, attr);
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_SET_DEVICE_ATTR, struct, data, DEVICE_ATTR_ADDR);
  }
}
