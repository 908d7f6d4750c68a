/**
 * A virtual CPU through the addon.
 *
 * @packageDocumentation
 */
import { KVM_IOCTL } from '../abi/ioctls.ts';
import type { Result, VcpuHandle } from '../backend.ts';
import { NativeAttrDescriptor } from './descriptor.ts';

/** The seam's vCPU. */
export class NativeVcpu extends NativeAttrDescriptor implements VcpuHandle {
  armVcpuInit(init: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_ARM_VCPU_INIT, init);
  }

  armVcpuFinalize(feature: number): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_ARM_VCPU_FINALIZE, u32(feature));
  }

  getRegList(): BigUint64Array | Result {
    return this.addon.getRegList(this.fd);
  }

  getOneReg(id: bigint): bigint | Result {
    return this.addon.getOneReg(this.fd, id);
  }

  setOneReg(id: bigint, value: bigint): Result {
    return this.addon.setOneReg(this.fd, id, value);
  }

  getRegs(ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result {
    return this.addon.getRegs(this.fd, ids, words, status);
  }

  setRegs(ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result {
    return this.addon.setRegs(this.fd, ids, words, status);
  }

  getMpState(): Result {
    const state = u32(0);
    const result = this.addon.ioctl(this.fd, KVM_IOCTL.KVM_GET_MP_STATE, state);
    return result < 0 ? result : new DataView(state.buffer).getUint32(0, true);
  }

  setMpState(state: number): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_SET_MP_STATE, u32(state));
  }

  run(bytes: Uint8Array): Result {
    return this.addon.run(this.fd, bytes);
  }

  start(bytes: Uint8Array, done: (result: Result) => void): Result {
    return this.addon.start(this.fd, bytes, done);
  }

  kick(): Result {
    return this.addon.kick(this.fd);
  }

  getVcpuEvents(events: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_GET_VCPU_EVENTS, events);
  }

  setVcpuEvents(events: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_SET_VCPU_EVENTS, events);
  }

  setGuestDebug(debug: Uint8Array): Result {
    return this.addon.ioctl(this.fd, KVM_IOCTL.KVM_SET_GUEST_DEBUG, debug);
  }
}

/** The struct of a request that takes one number: `struct kvm_mp_state`, or an `int`. */
function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
