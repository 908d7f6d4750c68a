/**
 * A virtual machine through the addon.
 *
 * @packageDocumentation
 */
import { KVM_IOCTL } from '../abi/ioctls.ts';
import { encodeEnableCap, encodeRegMaskRange, REG_MASK_RANGE_ADDR } from '../abi/structs.ts';
import type { Result, VcpuHandle, VmHandle } from '../backend.ts';
import { NativeAttrDescriptor } from './descriptor.ts';
import { NativeVcpu } from './vcpu.ts';

/** The seam's VM. */
export class NativeVm extends NativeAttrDescriptor implements VmHandle {
  checkExtension(cap: number): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_CHECK_EXTENSION, cap);
  }

  enableCap(cap: number, flags: number, args: BigUint64Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_ENABLE_CAP, encodeEnableCap(cap, flags, args));
  }

  createVcpu(id: number): VcpuHandle | Result {
    const fd = this.addon.create(this.fd, KVM_IOCTL.KVM_CREATE_VCPU, BigInt(id));
    return typeof fd === 'number' ? fd : new NativeVcpu(this.addon, fd);
  }

  armPreferredTarget(init: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_ARM_PREFERRED_TARGET, init);
  }

  armGetRegWritableMasks(range: number, masks: BigUint64Array): Result {
    const bytes = new Uint8Array(masks.buffer, masks.byteOffset, masks.byteLength);
    const struct = encodeRegMaskRange(range);
    return this.addon.ioctl(
      this.fd,
      KVM_IOCTL.KVM_ARM_GET_REG_WRITABLE_MASKS,
      struct,
      bytes,
      REG_MASK_RANGE_ADDR,
    );
  }

  armSetCounterOffset(offset: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_ARM_SET_COUNTER_OFFSET, offset);
  }
}
