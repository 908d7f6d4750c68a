/**
 * The sections of a state file that have devices in them; `file-layout.ts` says how they lie.
 *
 * @packageDocumentation
 */
import { encodePmuFilter, PMU_FILTER_SIZE } from '../abi/device-attributes.ts';
import { encodeSmcccFilter, SMCCC_FILTER_SIZE } from '../abi/smccc-filter.ts';
import {
  GIC,
  GIC_FLAG,
  GIC_REGISTER,
  GIC_RUN,
  MORE_OF_VM,
  VCPU_DEVICES,
  VCPU_DEVICES_FLAG,
} from './file-layout.ts';
import type { GicState } from './gic-state.ts';
import type { VcpuState, VmSettings } from './vcpu-state.ts';

/** Undefined where there is no more. */
export function encodeMoreOfVm({ smcccFilter = [], timerIrqs = [] }: VmSettings): Uint8Array | undefined {
  if (smcccFilter.length === 0 && timerIrqs.length === 0) return undefined;
  const bytes = new Uint8Array(MORE_OF_VM.list + SMCCC_FILTER_SIZE * smcccFilter.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(MORE_OF_VM.ppis, timerIrqs.length, true);
  view.setUint32(MORE_OF_VM.ranges, smcccFilter.length, true);
  timerIrqs.forEach((irq, i) => {
    view.setUint32(MORE_OF_VM.ppiList + 4 * i, irq, true);
  });
  smcccFilter.forEach((range, i) => {
    bytes.set(encodeSmcccFilter(range), MORE_OF_VM.list + SMCCC_FILTER_SIZE * i);
  });
  return bytes;
}

/** The section of an interrupt controller. */
export function encodeGic({ placement, irqs, maintenanceIrq, initialized, registers }: GicState): Uint8Array {
  const given = placement.version === 3 ? placement.redistributors : [];
  const isOneRun = typeof given === 'bigint';
  const runs = isOneRun ? [{ base: given, count: 0 }] : given;
  const start = GIC.list + GIC_RUN.size * runs.length;
  const bytes = new Uint8Array(start + GIC_REGISTER.size * registers.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(GIC.version, placement.version, true);
  const flags = (initialized ? GIC_FLAG.initialized : 0) | (isOneRun ? GIC_FLAG.oneRun : 0);
  view.setUint32(GIC.flags, flags, true);
  view.setUint32(GIC.irqs, irqs ?? 0, true);
  view.setUint32(GIC.maintenance, maintenanceIrq ?? 0, true);
  view.setBigUint64(GIC.distributor, placement.distributor, true);
  view.setBigUint64(GIC.cpuInterface, placement.version === 2 ? placement.cpuInterface : 0n, true);
  view.setUint32(GIC.runs, runs.length, true);
  view.setUint32(GIC.registers, registers.length, true);
  runs.forEach(({ base, count }, i) => {
    const at = GIC.list + GIC_RUN.size * i;
    view.setBigUint64(at + GIC_RUN.base, base, true);
    view.setBigUint64(at + GIC_RUN.count, BigInt(count), true);
  });
  registers.forEach(({ group, attr, value }, i) => {
    const at = start + GIC_REGISTER.size * i;
    view.setUint32(at + GIC_REGISTER.group, group, true);
    view.setBigUint64(at + GIC_REGISTER.attr, attr, true);
    view.setBigUint64(at + GIC_REGISTER.value, value, true);
  });
  return bytes;
}

/** Undefined where a vCPU has none. */
export function encodeVcpuDevices({ pmu, pvTime }: VcpuState): Uint8Array | undefined {
  if (pmu === undefined && pvTime === undefined) return undefined;
  const filter = pmu?.filter ?? [];
  const bytes = new Uint8Array(VCPU_DEVICES.list + PMU_FILTER_SIZE * filter.length);
  const view = new DataView(bytes.buffer);
  const flags =
    (pmu === undefined ? 0 : VCPU_DEVICES_FLAG.pmu) |
    (pmu?.irq === undefined ? 0 : VCPU_DEVICES_FLAG.pmuIrq) |
    (pvTime === undefined ? 0 : VCPU_DEVICES_FLAG.pvTime);
  view.setUint32(VCPU_DEVICES.flags, flags, true);
  view.setUint32(VCPU_DEVICES.irq, pmu?.irq ?? 0, true);
  view.setBigUint64(VCPU_DEVICES.pvTime, pvTime ?? 0n, true);
  view.setUint32(VCPU_DEVICES.ranges, filter.length, true);
  filter.forEach((range, i) => {
    bytes.set(encodePmuFilter(range), VCPU_DEVICES.list + PMU_FILTER_SIZE * i);
  });
  return bytes;
}
