/**
 * A virtual machine through the addon.
 *
 * @packageDocumentation
 */
import { encodeGsiRouting, encodeIoeventfd, encodeIrqfd, encodeIrqLevel } from '../abi/interrupts.ts';
import { KVM_IOCTL } from '../abi/ioctls.ts';
import {
  CLEAR_DIRTY_LOG_BITMAP,
  DIRTY_LOG_BITMAP,
  encodeClearDirtyLog,
  encodeDirtyLog,
  encodeEnableCap,
  encodeRegMaskRange,
  REG_MASK_RANGE_ADDR,
} from '../abi/structs.ts';
import type { DeviceHandle, EventFdHandle, Result, VcpuHandle, VmHandle } from '../backend.ts';
import type { Addon, Fd } from './addon.ts';
import { NativeAttrDescriptor } from './descriptor.ts';
import { NativeVcpu } from './vcpu.ts';

/** The seam's VM. */
export class NativeVm extends NativeAttrDescriptor implements VmHandle {
  /** Bytes that a vCPU shares with its program. */
  readonly #mmapSize: number;

  constructor(addon: Addon, fd: Fd, mmapSize: number) {
    super(addon, fd);
    this.#mmapSize = mmapSize;
  }

  checkExtension(cap: number): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_CHECK_EXTENSION, cap);
  }

  enableCap(cap: number, flags: number, args: BigUint64Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_ENABLE_CAP, encodeEnableCap(cap, flags, args));
  }

  createVcpu(id: number): VcpuHandle | Result {
    const fd = this.addon.create(this.fd, KVM_IOCTL.KVM_CREATE_VCPU, BigInt(id), this.#mmapSize);
    return typeof fd === 'number' ? fd : new NativeVcpu(this.addon, fd);
  }

  createDevice(type: number, flags: number): DeviceHandle | Result {
    const fd = this.addon.createDevice(this.fd, type, flags);
    return typeof fd === 'number' ? fd : new NativeAttrDescriptor(this.addon, fd);
  }

  createIrqchip(): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_CREATE_IRQCHIP, 0);
  }

  irqLine(irq: number, level: number): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_IRQ_LINE, encodeIrqLevel(irq, level));
  }

  signalMsi(msi: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_SIGNAL_MSI, msi);
  }

  setGsiRouting(entries: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_SET_GSI_ROUTING, encodeGsiRouting(entries));
  }

  irqfd(event: EventFdHandle, gsi: number, flags: number, resample: EventFdHandle | undefined): Result {
    const struct = encodeIrqfd(event.fd, gsi, flags, resample?.fd ?? -1);
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_IRQFD, struct);
  }

  ioeventfd(event: EventFdHandle, addr: bigint, len: number, flags: number, datamatch: bigint): Result {
    const struct = encodeIoeventfd(event.fd, addr, len, flags, datamatch);
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_IOEVENTFD, struct);
  }

  setUserMemoryRegion(slot: number, flags: number, guestPhysAddr: bigint, bytes: Uint8Array): Result {
    return this.addon.setUserMemoryRegion(this.fd, slot, flags, guestPhysAddr, bytes);
  }

  getDirtyLog(slot: number, bitmap: Uint8Array): Result {
    const struct = encodeDirtyLog(slot);
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_GET_DIRTY_LOG, struct, bitmap, DIRTY_LOG_BITMAP);
  }

  clearDirtyLog(slot: number, firstPage: number, pageCount: number, bitmap: Uint8Array): Result {
    const struct = encodeClearDirtyLog(slot, firstPage, pageCount);
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_CLEAR_DIRTY_LOG, struct, bitmap, CLEAR_DIRTY_LOG_BITMAP);
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
