/**
 * Device attributes (`struct kvm_device_attr`), which VMs and vCPUs have as devices do.
 *
 * @packageDocumentation
 */
import { types } from 'node:util';
import { checkUnsigned, invalidType } from './abi/argument.ts';
import type { AttrHandle } from './backend.ts';
import { Resource, toU64 } from './resource.ts';

const ENXIO = -6;

/** A resource with device attributes. */
export abstract class AttrResource<H extends AttrHandle> extends Resource<H> {
  /** `KVM_HAS_DEVICE_ATTR`: whether the attribute exists here. */
  hasDeviceAttr(group: number, attr: number | bigint): boolean {
    const result = this.handle.hasDeviceAttr(toGroup(group), toU64('attr', attr));
    if (result === ENXIO) return false;
    this.check('KVM_HAS_DEVICE_ATTR', result);
    return true;
  }

  /**
   * `KVM_GET_DEVICE_ATTR`.
   *
   * @param size - bytes of the attribute's value, as the kernel's documentation gives it
   * @returns its bytes, little-endian
   * @throws KvmError ENXIO: no such attribute
   */
  getDeviceAttr(group: number, attr: number | bigint, size: number): Uint8Array {
    checkUnsigned('size', size, 0x1_0000);
    const data = new Uint8Array(size);
    const { handle } = this;
    this.check('KVM_GET_DEVICE_ATTR', handle.getDeviceAttr(toGroup(group), toU64('attr', attr), data));
    return data;
  }

  /**
   * `KVM_SET_DEVICE_ATTR`.
   *
   * @param data - the value's bytes, little-endian; none for an attribute that is an action
   * @throws KvmError ENXIO: no such attribute; others as the attribute has them
   */
  setDeviceAttr(group: number, attr: number | bigint, data: Uint8Array = new Uint8Array(0)): void {
    if (!types.isUint8Array(data)) throw invalidType('data', 'a Uint8Array', data);
    checkUnsigned('data.length', data.length, 0x1_0000);
    const { handle } = this;
    this.check('KVM_SET_DEVICE_ATTR', handle.setDeviceAttr(toGroup(group), toU64('attr', attr), data));
  }
}

function toGroup(group: number): number {
  checkUnsigned('group', group, 0xffff_ffff);
  return group;
}
