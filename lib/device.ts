/**
 * A device in the kernel, by its attributes.
 *
 * @packageDocumentation
 */
import { invalidType, invalidValue } from './abi/argument.ts';
import { type DeviceType, KVM_DEV_TYPE } from './abi/device-attributes.ts';
import { AttrResource } from './attributes.ts';
import type { DeviceHandle } from './backend.ts';
import type { Vm } from './vm.ts';

/** A device of a VM, made by {@link Vm.createDevice}: all that it has are attributes. Closing it leaves it in its VM. */
export class Device extends AttrResource<DeviceHandle> {
  /** The VM that it belongs to. */
  readonly vm: Vm;
  /** `KVM_DEV_TYPE_*`. */
  readonly type: number;

  /** @internal Use {@link Vm.createDevice}. */
  constructor(handle: DeviceHandle, vm: Vm, type: number, what = 'Device') {
    super(what, 'device', handle, vm);
    this.vm = vm;
    this.type = type;
  }

  /**
   * An attribute of 32 bits.
   *
   * @throws KvmError ENXIO: no such attribute; others as the device has them
   */
  getU32(group: number, attr: number | bigint): number {
    return viewOf(this.getDeviceAttr(group, attr, 4)).getUint32(0, true);
  }

  /** Writes an attribute of 32 bits; as {@link getU32}. */
  setU32(group: number, attr: number | bigint, value: number): void {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, value, true);
    this.setDeviceAttr(group, attr, new Uint8Array(view.buffer));
  }

  /** An attribute of 64 bits; as {@link getU32}. */
  getU64(group: number, attr: number | bigint): bigint {
    return viewOf(this.getDeviceAttr(group, attr, 8)).getBigUint64(0, true);
  }

  /** Writes an attribute of 64 bits; as {@link getU32}. */
  setU64(group: number, attr: number | bigint, value: bigint): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, value, true);
    this.setDeviceAttr(group, attr, new Uint8Array(view.buffer));
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** The number of a device's type. */
export function deviceTypeNumber(type: DeviceType | number): number {
  if (typeof type === 'number') return type;
  if (typeof type !== 'string') throw invalidType('type', 'the name or number of a device type', type);
  const name = `KVM_DEV_TYPE_${type}` as const;
  if (Object.hasOwn(KVM_DEV_TYPE, name)) return KVM_DEV_TYPE[name];
  const names = Object.keys(KVM_DEV_TYPE).map(each => each.replace('KVM_DEV_TYPE_', ''));
  throw invalidValue('type', `one of ${names.join(', ')}, or a number`, type);
}
