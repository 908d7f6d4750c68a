/**
 * Device attributes of a vCPU: the PMU's, the timers' and stolen time's (`pmu-emul.c`, `arch_timer.c` and `pvtime.c` of
 * arch/arm64/kvm). The host has no interrupt controller yet, which most of what can be set here needs.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { Result } from '../backend.ts';
import { hasFeature } from './register-access.ts';
import type { VcpuState } from './state.ts';
import { readStruct, writeStruct } from './user-memory.ts';

/** What serves a group of attributes; `data` is as long as the caller made it. */
interface Group {
  has(vcpu: VcpuState, attr: number): Result;
  get(vcpu: VcpuState, attr: number, data: Uint8Array): Result;
  set(vcpu: VcpuState, attr: number, data: Uint8Array): Result;
}

/** Attributes of KVM_ARM_VCPU_PMU_V3_CTRL (asm/kvm.h). */
const PMU = { IRQ: 0, INIT: 1, FILTER: 2, SET_PMU: 3 } as const;

function hasPmu(vcpu: VcpuState): boolean {
  return hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3);
}

const pmu: Group = {
  has: (vcpu, attr) => (attr < vcpu.vm.host.profile.pmuAttributes && hasPmu(vcpu) ? 0 : -ERRNO.ENXIO),
  get: (_, attr) => (attr === PMU.IRQ ? -ERRNO.EINVAL : -ERRNO.ENXIO),
  set(vcpu, attr, data) {
    const { pmuAttributes } = vcpu.vm.host.profile;
    if (pmuAttributes === 0) return -ERRNO.ENXIO;
    if (!hasPmu(vcpu)) return -ERRNO.ENODEV;
    if (vcpu.pmuCreated) return -ERRNO.EBUSY;
    switch (attr) {
      case PMU.IRQ:
        return -ERRNO.EINVAL;
      case PMU.INIT:
        vcpu.pmuCreated = true;
        return 0;
      case PMU.FILTER:
        return attr < pmuAttributes ? checkPmuFilter(data) : -ERRNO.ENXIO;
      case PMU.SET_PMU:
        return -ERRNO.ENXIO;
      default:
        return -ERRNO.ENXIO;
    }
  },
};

/** `struct kvm_pmu_event_filter`: base_event u16, nevents u16, action u8 (0 allow, 1 deny); 16-bit events. */
function checkPmuFilter(data: Uint8Array): Result {
  const view = new DataView(readStruct(data, 8).buffer);
  const end = view.getUint16(0, true) + view.getUint16(2, true);
  return end > 0x1_0000 || view.getUint8(4) > 1 ? -ERRNO.EINVAL : 0;
}

const timer: Group = {
  has: (vcpu, attr) => (attr < vcpu.vm.host.profile.timerPpis.length ? 0 : -ERRNO.ENXIO),
  get(vcpu, attr, data) {
    const ppi = vcpu.vm.host.profile.timerPpis[attr];
    if (ppi === undefined) return -ERRNO.ENXIO;
    writeStruct(data, Int32Array.of(ppi));
    return 0;
  },
  set: () => -ERRNO.EINVAL,
};

/** KVM_ARM_VCPU_PVTIME_IPA; all ones while it is not set. */
const INVALID_GPA = 0xffff_ffff_ffff_ffffn;

const pvtime: Group = {
  has: (vcpu, attr) => (attr === 0 && hasStolenTime(vcpu) ? 0 : -ERRNO.ENXIO),
  get(vcpu, attr, data) {
    if (attr !== 0 || !hasStolenTime(vcpu)) return -ERRNO.ENXIO;
    writeStruct(data, BigUint64Array.of(INVALID_GPA));
    return 0;
  },
  // Misaligned, or in no memory slot: there are none yet.
  set: (vcpu, attr) => (attr === 0 && hasStolenTime(vcpu) ? -ERRNO.EINVAL : -ERRNO.ENXIO),
};

function hasStolenTime(vcpu: VcpuState): boolean {
  return (vcpu.vm.host.profile.capabilities[KVM_CAP.KVM_CAP_STEAL_TIME] ?? 0) > 0;
}

/** By group number (asm/kvm.h). */
const GROUPS: readonly (Group | undefined)[] = [pmu, timer, pvtime];

/** KVM_HAS_DEVICE_ATTR on a vCPU. */
export function hasVcpuAttr(vcpu: VcpuState, group: number, attr: bigint): Result {
  return GROUPS[group]?.has(vcpu, Number(attr)) ?? -ERRNO.ENXIO;
}

/** KVM_GET_DEVICE_ATTR on a vCPU. */
export function getVcpuAttr(vcpu: VcpuState, group: number, attr: bigint, data: Uint8Array): Result {
  return GROUPS[group]?.get(vcpu, Number(attr), data) ?? -ERRNO.ENXIO;
}

/** KVM_SET_DEVICE_ATTR on a vCPU. */
export function setVcpuAttr(vcpu: VcpuState, group: number, attr: bigint, data: Uint8Array): Result {
  return GROUPS[group]?.set(vcpu, Number(attr), data) ?? -ERRNO.ENXIO;
}
