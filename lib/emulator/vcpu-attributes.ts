/**
 * Device attributes of a vCPU: the PMU's, the timers' and stolen time's (`pmu-emul.c`, `arch_timer.c` and `pvtime.c` of
 * arch/arm64/kvm).
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { KVM_PMU_EVENT } from '../abi/device-attributes.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { Result } from '../backend.ts';
import { isPpi, MAX_SPI, NR_SGIS } from './intids.ts';
import { eventMask } from './registers/pmu-registers.ts';
import { hasFeature, hasRun } from './registers/register-access.ts';
import type { VcpuState, VmState } from './state.ts';
import { readStruct, writeStruct } from './user-memory.ts';

/** What serves a group of attributes; `data` is as long as the caller made it. */
interface Group {
  has(vcpu: VcpuState, attr: number): Result;
  get(vcpu: VcpuState, attr: number, data: Uint8Array): Result;
  set(vcpu: VcpuState, attr: number, data: Uint8Array): Result;
}

/** Attributes of KVM_ARM_VCPU_PMU_V3_CTRL (asm/kvm.h), of which older kernels lack the last ones. */
const PMU = { IRQ: 0, INIT: 1, FILTER: 2, SET_PMU: 3, SET_NR_COUNTERS: 4 } as const;

function hasPmu(vcpu: VcpuState): boolean {
  return hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3);
}

const pmu: Group = {
  has: (vcpu, attr) => (attr < vcpu.vm.host.profile.pmuAttributes && hasPmu(vcpu) ? 0 : -ERRNO.ENXIO),
  get(vcpu, attr, data) {
    if (attr !== PMU.IRQ) return -ERRNO.ENXIO;
    if (vcpu.vm.gic === undefined) return -ERRNO.EINVAL;
    if (!hasPmu(vcpu)) return -ERRNO.ENODEV;
    if (vcpu.pmuIrq === 0) return -ERRNO.ENXIO;
    writeStruct(data, Int32Array.of(vcpu.pmuIrq));
    return 0;
  },
  set(vcpu, attr, data) {
    const { pmuAttributes } = vcpu.vm.host.profile;
    if (pmuAttributes === 0) return -ERRNO.ENXIO;
    if (!hasPmu(vcpu)) return -ERRNO.ENODEV;
    if (vcpu.pmuCreated) return -ERRNO.EBUSY;
    if (attr >= pmuAttributes) return -ERRNO.ENXIO;
    switch (attr) {
      case PMU.IRQ:
        return setPmuIrq(vcpu, readInt(data));
      case PMU.INIT:
        return initPmu(vcpu);
      case PMU.FILTER:
        return filterPmu(vcpu, data);
      case PMU.SET_PMU:
        return setPmu(vcpu.vm, readInt(data));
      case PMU.SET_NR_COUNTERS:
        return setCounters(vcpu.vm, new DataView(readStruct(data, 4).buffer).getUint32(0, true));
      default:
        return -ERRNO.ENXIO;
    }
  },
};

const readInt = (data: Uint8Array) => new DataView(readStruct(data, 4).buffer).getInt32(0, true);

/** A PPI is the same for all vCPUs, an SPI each has its own (`pmu_irq_is_valid`). */
function setPmuIrq(vcpu: VcpuState, irq: number): Result {
  if (vcpu.vm.gic === undefined || irq < NR_SGIS || irq > MAX_SPI) return -ERRNO.EINVAL;
  for (const { pmuIrq } of vcpu.vm.vcpus.values()) {
    if (pmuIrq !== 0 && (pmuIrq === irq) !== isPpi(irq)) return -ERRNO.EINVAL;
  }
  if (vcpu.pmuIrq !== 0) return -ERRNO.EBUSY;
  vcpu.pmuIrq = irq;
  return 0;
}

/** `kvm_arm_pmu_v3_init` */
function initPmu(vcpu: VcpuState): Result {
  const { vm, gic: cpu } = vcpu;
  if (vm.pmuCounters === undefined) return -ERRNO.ENXIO;
  if (cpu !== undefined) {
    if (!cpu.gic.initialized) return -ERRNO.ENODEV;
    if (vcpu.pmuIrq === 0) return -ERRNO.ENXIO;
    const result = cpu.gic.setOwner(cpu, vcpu.pmuIrq, vcpu);
    if (result < 0) return result;
  }
  vcpu.pmuCreated = true;
  return 0;
}

const MOST_EVENTS = 0xffffn;

/** A range of the VM's filter (`KVM_ARM_VCPU_PMU_V3_FILTER`): `struct kvm_pmu_event_filter` has base, count and action. */
function filterPmu(vcpu: VcpuState, data: Uint8Array): Result {
  const { vm } = vcpu;
  const view = new DataView(readStruct(data, 8).buffer);
  const start = view.getUint16(0, true);
  const end = start + view.getUint16(2, true);
  const action = view.getUint8(4);
  // Before its own init a vCPU's events are those of the VM.
  const configuration = vcpu.configuration ?? vm.configuration;
  const mask = configuration === undefined ? MOST_EVENTS : eventMask({ ...vcpu, configuration });
  if (BigInt(end) > mask + 1n || action > KVM_PMU_EVENT.deny) return -ERRNO.EINVAL;
  // Kernels that let a PMU be chosen hold it, and its filter, once a vCPU has run (`kvm_vm_has_ran_once`).
  if (vm.host.profile.pmuAttributes > PMU.SET_PMU && hasRun(vm)) return -ERRNO.EBUSY;
  if (vm.pmuCounters === undefined) return -ERRNO.ENXIO;
  vm.pmuFilter.push({ start, end, allows: action === KVM_PMU_EVENT.allow });
  return 0;
}

/** `kvm_arm_pmu_v3_set_pmu`: the VM has all counters of the PMU again. */
function setPmu(vm: VmState, pmu: number): Result {
  const counters = vm.host.profile.pmus[pmu];
  if (counters === undefined) return -ERRNO.ENXIO;
  if (hasRun(vm)) return -ERRNO.EBUSY;
  vm.pmuCounters = vm.pmcrN = BigInt(counters);
  return 0;
}

/** `kvm_arm_pmu_v3_set_nr_counters` */
function setCounters(vm: VmState, count: number): Result {
  if (vm.pmuCounters === undefined || BigInt(count) > vm.pmuCounters) return -ERRNO.EINVAL;
  vm.pmcrN = BigInt(count);
  return 0;
}

const timer: Group = {
  has: (vcpu, attr) => (attr < vcpu.vm.host.profile.timerPpis.length ? 0 : -ERRNO.ENXIO),
  get(vcpu, attr, data) {
    const ppi = vcpu.vm.timerPpis[attr];
    if (ppi === undefined) return -ERRNO.ENXIO;
    writeStruct(data, Int32Array.of(ppi));
    return 0;
  },
  /** Whether each has its own is seen by the first run (`kvm_arm_timer_set_attr`). */
  set(vcpu, attr, data) {
    const { vm } = vcpu;
    const ppi = readInt(data);
    if (vm.gic === undefined || !isPpi(ppi)) return -ERRNO.EINVAL;
    const isFixed = vm.host.profile.gics?.timerPpisPerVcpu ? vcpu.timersEnabled : vm.timerPpisFixed;
    if (isFixed) return -ERRNO.EBUSY;
    if (attr >= vm.timerPpis.length) return -ERRNO.ENXIO;
    vm.timerPpis[attr] = ppi;
    return 0;
  },
};

/** KVM_ARM_VCPU_PVTIME_IPA; all ones while it is not set. */
const INVALID_GPA = 0xffff_ffff_ffff_ffffn;
/** Of `struct pvclock_vcpu_stolen_time`, with its size. */
const STOLEN_TIME_ALIGNMENT = 64n;

const pvtime: Group = {
  has: (vcpu, attr) => (attr === 0 && hasStolenTime(vcpu) ? 0 : -ERRNO.ENXIO),
  get(vcpu, attr, data) {
    if (attr !== 0 || !hasStolenTime(vcpu)) return -ERRNO.ENXIO;
    writeStruct(data, BigUint64Array.of(vcpu.stolenTime ?? INVALID_GPA));
    return 0;
  },
  set(vcpu, attr, data) {
    if (attr !== 0 || !hasStolenTime(vcpu)) return -ERRNO.ENXIO;
    const address = new DataView(readStruct(data, 8).buffer).getBigUint64(0, true);
    if (address % STOLEN_TIME_ALIGNMENT !== 0n) return -ERRNO.EINVAL;
    if (vcpu.stolenTime !== undefined) return -ERRNO.EEXIST;
    const isInMemory = [...vcpu.vm.memory.values()].some(
      ({ guestPhysAddr, bytes }) =>
        address >= guestPhysAddr && address < guestPhysAddr + BigInt(bytes.length),
    );
    if (!isInMemory) return -ERRNO.EINVAL;
    vcpu.stolenTime = address;
    return 0;
  },
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
