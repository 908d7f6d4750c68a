/**
 * An emulated vCPU: the ioctls of its descriptor, with the checks in the kernel's order (`kvm_arch_vcpu_ioctl`,
 * arch/arm64/kvm/arm.c).
 *
 * @packageDocumentation
 */
import { outOfRange } from '../abi/argument.ts';
import { ERRNO } from '../abi/errno.ts';
import { registerBits, wordOffsets } from '../abi/register-id.ts';
import { decodeVcpuInit } from '../abi/structs.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { Result, VcpuHandle } from '../backend.ts';
import { getEvents, setEvents } from './events.ts';
import { setGuestDebug } from './guest-debug.ts';
import { applyPendingReset, initVcpu } from './init.ts';
import { flatIoctl } from './ioctl.ts';
import { missingRegister, underAnyCoprocessor } from './registers/missing-registers.ts';
import { isCore, rawCore } from './registers/raw-core.ts';
import { loadRunner } from './run/load.ts';
import type { Configuration, RegisterAccess, Runner, VcpuState } from './state.ts';
import { getVcpuAttr, hasVcpuAttr, setVcpuAttr } from './vcpu-attributes.ts';

/** `VcpuHandle` of the emulated host. */
export class EmulatedVcpu implements VcpuHandle {
  /** Undefined after close. */
  #open: VcpuState | undefined;

  constructor(state: VcpuState) {
    this.#open = state;
  }

  /** For the length of an ioctl: with all registers where those look for them. Undefined: {@link #refusal} says why. */
  get #state(): VcpuState | undefined {
    this.#open?.vm.clock.pass();
    if (this.#open === undefined || this.#open.vm.isDead) return undefined;
    this.#open.runner?.settle();
    applyPendingReset(this.#open);
    return this.#open;
  }

  get #refusal(): Result {
    return this.#open === undefined ? -ERRNO.EBADF : -ERRNO.EIO;
  }

  armVcpuInit(init: Uint8Array): Result {
    const vcpu = this.#state;
    if (vcpu === undefined) return this.#refusal;
    const { target, featureBits } = decodeVcpuInit(init);
    const result = initVcpu(vcpu, target, featureBits);
    if (result === 0) vcpu.runner?.forget();
    return result;
  }

  armVcpuFinalize(feature: number): Result {
    const vcpu = this.#state;
    if (vcpu === undefined) return this.#refusal;
    if (vcpu.vm.host.profile.behaviours.beforeSve) return -ERRNO.EINVAL;
    if (vcpu.configuration === undefined) return -ERRNO.ENOEXEC;
    if (feature !== KVM_ARM_VCPU.KVM_ARM_VCPU_SVE || !hasSve(vcpu)) return -ERRNO.EINVAL;
    if (vcpu.sveFinalized) return -ERRNO.EPERM;
    vcpu.sveFinalized = true;
    return 0;
  }

  getRegList(): BigUint64Array | Result {
    const vcpu = this.#state;
    if (vcpu === undefined) return this.#refusal;
    if (vcpu.configuration === undefined) return -ERRNO.ENOEXEC;
    if (hasSve(vcpu) && !vcpu.sveFinalized) return -ERRNO.EPERM;
    const { list, conditional, registers } = vcpu.configuration;
    if (conditional.every(access => access.isPresent!(vcpu))) return list.slice();
    return list.filter(id => registers.get(id)?.isPresent?.(vcpu) ?? true);
  }

  getOneReg(id: bigint): bigint | Result {
    const vcpu = this.#state;
    if (vcpu === undefined) return this.#refusal;
    if (vcpu.configuration === undefined) return -ERRNO.ENOEXEC;
    return find(vcpu, vcpu.configuration, id)?.get(vcpu) ?? missingRegister(vcpu.vm.host.profile, id);
  }

  setOneReg(id: bigint, value: bigint): Result {
    const vcpu = this.#state;
    if (vcpu === undefined) return this.#refusal;
    if (vcpu.configuration === undefined) return -ERRNO.ENOEXEC;
    return find(vcpu, vcpu.configuration, id)?.set(vcpu, value) ?? missingRegister(vcpu.vm.host.profile, id);
  }

  getRegs(ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result {
    return eachRegister(ids, words, status, (id, start, count) => {
      const value = this.getOneReg(id);
      words.fill(0n, start, start + count);
      if (typeof value === 'number') return value;
      for (let i = 0, rest = value; i < count; i++, rest >>= 64n) words[start + i] = rest;
      return 0;
    });
  }

  setRegs(ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result {
    return eachRegister(ids, words, status, (id, start, count) => {
      let value = 0n;
      for (let i = count - 1; i >= 0; i--) value = (value << 64n) | words[start + i]!;
      return this.setOneReg(id, count > 1 ? value : BigInt.asUintN(registerBits(id), value));
    });
  }

  getMpState(): Result {
    return this.#state?.mpState ?? this.#refusal;
  }

  setMpState(state: number): Result {
    if (this.#state === undefined) return this.#refusal;
    if (!this.#state.vm.host.profile.mpStates.includes(state)) return -ERRNO.EINVAL;
    this.#state.mpState = state;
    return 0;
  }

  run(bytes: Uint8Array): Result {
    const runner = this.#runner();
    return typeof runner === 'number' ? runner : runner.run(bytes);
  }

  start(bytes: Uint8Array, done: (result: Result) => void): Result {
    const runner = this.#runner();
    return typeof runner === 'number' ? runner : runner.start(bytes, done);
  }

  kick(): Result {
    if (this.#open === undefined) return this.#refusal;
    this.#open.kicked = true;
    this.#open.runner?.wake();
    return 0;
  }

  /** What runs the guest, or why it cannot. */
  #runner(): Runner | Result {
    const vcpu = this.#open;
    if (vcpu === undefined || vcpu.vm.isDead) return this.#refusal;
    if (vcpu.configuration === undefined) return -ERRNO.ENOEXEC;
    if (hasSve(vcpu) && !vcpu.sveFinalized) return -ERRNO.EPERM;
    if (vcpu.runner === undefined) {
      const { VcpuRunner } = loadRunner();
      vcpu.runner = new VcpuRunner(vcpu);
    }
    return vcpu.runner;
  }

  getVcpuEvents(events: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : getEvents(this.#state, events);
  }

  setVcpuEvents(events: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : setEvents(this.#state, events);
  }

  hasDeviceAttr(group: number, attr: bigint): Result {
    return this.#state === undefined ? this.#refusal : hasVcpuAttr(this.#state, group, attr);
  }

  getDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : getVcpuAttr(this.#state, group, attr, data);
  }

  setDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : setVcpuAttr(this.#state, group, attr, data);
  }

  setGuestDebug(debug: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : setGuestDebug(this.#state, debug);
  }

  ioctl(request: number, argument: bigint | Uint8Array): Result {
    if (this.#state === undefined) return this.#refusal;
    return flatIoctl(request, argument, {
      KVM_ARM_VCPU_INIT: init => this.armVcpuInit(init),
      KVM_ARM_VCPU_FINALIZE: feature =>
        this.armVcpuFinalize(new DataView(feature.buffer, feature.byteOffset).getInt32(0, true)),
      KVM_GET_MP_STATE: state => {
        new DataView(state.buffer, state.byteOffset).setUint32(0, this.getMpState(), true);
        return 0;
      },
      KVM_SET_MP_STATE: state =>
        this.setMpState(new DataView(state.buffer, state.byteOffset).getUint32(0, true)),
      KVM_GET_VCPU_EVENTS: events => this.getVcpuEvents(events),
      KVM_SET_VCPU_EVENTS: events => this.setVcpuEvents(events),
      KVM_SET_GUEST_DEBUG: debug => this.setGuestDebug(debug),
    });
  }

  close(): void {
    this.#open?.runner?.abandon();
    this.#open = undefined;
  }
}

/** The register that answers for an id, if the vCPU has one now. */
function find(
  vcpu: VcpuState,
  { registers, anyCoprocessor }: Configuration,
  id: bigint,
): RegisterAccess | undefined {
  const { architecture = 'arm64', behaviours } = vcpu.vm.host.profile;
  if (behaviours.rawCore && isCore(id)) return rawCore(id);
  const access =
    registers.get(id) ?? registers.get(underAnyCoprocessor(architecture, id, anyCoprocessor) ?? id);
  return access?.isPresent?.(vcpu) === false ? undefined : access;
}

/** `vcpu_has_sve`: it was switched on, which is no question of what the vCPU's features are now. */
function hasSve({ configuration }: VcpuState): boolean {
  return configuration !== undefined && configuration.sveMaxVq > 0;
}

/** Walks a batch: each register's words follow those of the one before. Arrays that are too short are refused as by the addon. */
function eachRegister(
  ids: BigUint64Array,
  words: BigUint64Array,
  status: Int32Array,
  visit: (id: bigint, start: number, count: number) => Result,
): Result {
  const starts = wordOffsets(ids);
  if (words.length < starts[ids.length]!) {
    throw outOfRange('words', 'long enough for the widths of all ids', words.length);
  }
  if (status.length < ids.length) throw outOfRange('status', 'as long as ids', status.length);
  let failed = 0;
  for (let i = 0; i < ids.length; i++) {
    status[i] = visit(ids[i]!, starts[i]!, starts[i + 1]! - starts[i]!);
    if (status[i]! < 0) failed++;
  }
  return failed;
}
