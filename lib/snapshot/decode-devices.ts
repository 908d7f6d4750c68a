/**
 * Reads the sections of a state file that have devices in them, strictly.
 *
 * @packageDocumentation
 */
import { decodePmuFilter, PMU_FILTER_SIZE } from '../abi/device-attributes.ts';
import { findGicRegister } from '../abi/gic-registers.ts';
import { decodeSmcccFilter, SMCCC_FILTER_SIZE } from '../abi/smccc-filter.ts';
import { checkGicOptions, type GicPlacement } from '../gic.ts';
import {
  GIC,
  GIC_FLAG,
  GIC_REGISTER,
  GIC_RUN,
  MORE_OF_VM,
  VCPU_DEVICES,
  VCPU_DEVICES_FLAG,
} from './file-layout.ts';
import { bad, viewOf } from './file-table.ts';
import type { GicState, GicValue } from './gic-state.ts';
import type { VcpuState, VmSettings } from './vcpu-state.ts';

/** Bytes of a section that are in memory, and where they begin in the file. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

const isPpi = (irq: number) => irq >= 16 && irq < 32;

/** A list at the end of a section, whose length is told elsewhere in it. */
function listOf<Item>(
  { bytes, offset }: Content,
  {
    at,
    count,
    size,
    start,
  }: { readonly at: number; readonly count: number; readonly size: number; readonly start: number },
  read: (bytes: Uint8Array, place: number) => Item,
): Item[] {
  if (bytes.length !== start + count * size)
    throw bad(`${count} of these are not what is there`, offset + at);
  return Array.from({ length: count }, (_, i) => {
    const from = start + i * size;
    return read(bytes.subarray(from, from + size), offset + from);
  });
}

function known<Value>(value: Value | undefined, what: string, place: number): Value {
  if (value === undefined) throw bad(what, place);
  return value;
}

/** What a VM has more. */
export function readMoreOfVm(content: Content): Pick<VmSettings, 'smcccFilter' | 'timerIrqs'> {
  const { bytes, offset } = content;
  if (bytes.length < MORE_OF_VM.list) throw bad('the section ends within the VM', offset + bytes.length);
  const view = viewOf(bytes);
  const told = view.getUint32(MORE_OF_VM.ppis, true);
  if (told > MORE_OF_VM.timers) throw bad(`PPIs of ${told} timers`, offset + MORE_OF_VM.ppis);
  const ppis = Array.from({ length: MORE_OF_VM.timers }, (_, i) =>
    view.getUint32(MORE_OF_VM.ppiList + 4 * i, true),
  );
  const wrong = ppis.findIndex((ppi, i) => (i < told ? !isPpi(ppi) : ppi !== 0));
  if (wrong >= 0) throw bad(`${ppis[wrong]} is no PPI of a timer`, offset + MORE_OF_VM.ppiList + 4 * wrong);
  const count = view.getUint32(MORE_OF_VM.ranges, true);
  const place = { at: MORE_OF_VM.ranges, count, size: SMCCC_FILTER_SIZE, start: MORE_OF_VM.list };
  const smcccFilter = listOf(content, place, (range, at) =>
    known(decodeSmcccFilter(range), 'no such struct kvm_smccc_filter', at),
  );
  if (told + count === 0) throw bad('the section says nothing', offset);
  return {
    ...(count > 0 && { smcccFilter }),
    ...(told > 0 && { timerIrqs: ppis.slice(0, told) }),
  };
}

/** An interrupt controller. */
export function readGic(content: Content, vcpus: number): GicState {
  const { bytes, offset } = content;
  if (bytes.length < GIC.list) throw bad('the section ends within the GIC', offset + bytes.length);
  const view = viewOf(bytes);
  const version = view.getUint32(GIC.version, true);
  if (version !== 2 && version !== 3) throw bad(`no GIC is of version ${version}`, offset + GIC.version);
  const flags = view.getUint32(GIC.flags, true);
  const possible = version === 3 ? GIC_FLAG.initialized | GIC_FLAG.oneRun : GIC_FLAG.initialized;
  if ((flags & ~possible) !== 0) throw bad(`unknown flags 0x${flags.toString(16)}`, offset + GIC.flags);
  const runs = view.getUint32(GIC.runs, true);
  if (runs > (bytes.length - GIC.list) / GIC_RUN.size)
    throw bad(`it announces ${runs} runs of redistributors, for which there is no room`, offset + GIC.runs);
  const start = GIC.list + GIC_RUN.size * runs;
  const irqs = view.getUint32(GIC.irqs, true) || undefined;
  const placement = readPlacement(content, version, (flags & GIC_FLAG.oneRun) !== 0, runs);
  try {
    checkGicOptions({ ...placement, irqs }, vcpus);
  } catch (error) {
    throw bad(`no VM has such a GIC: ${(error as Error).message}`, offset);
  }
  const maintenanceIrq = view.getUint32(GIC.maintenance, true) || undefined;
  if (maintenanceIrq !== undefined && !isPpi(maintenanceIrq))
    throw bad(`${maintenanceIrq} is no PPI`, offset + GIC.maintenance);
  const initialized = (flags & GIC_FLAG.initialized) !== 0;
  const count = view.getUint32(GIC.registers, true);
  if (!initialized && count > 0)
    throw bad('it is not initialised, and has registers', offset + GIC.registers);
  const seen = new Set<string>();
  const place = { at: GIC.registers, count, size: GIC_REGISTER.size, start };
  const registers = listOf(content, place, (register, at) => readGicRegister(version, register, at, seen));
  return { placement, irqs, maintenanceIrq, initialized, registers };
}

function readPlacement(
  { bytes, offset }: Content,
  version: 2 | 3,
  isOneRun: boolean,
  count: number,
): GicPlacement {
  const view = viewOf(bytes);
  const distributor = view.getBigUint64(GIC.distributor, true);
  const cpuInterface = view.getBigUint64(GIC.cpuInterface, true);
  if (version === 2) {
    if (count > 0) throw bad('a GICv2 has no redistributors', offset + GIC.runs);
    return { version, distributor, cpuInterface };
  }
  if (cpuInterface !== 0n) throw bad('this must be 0', offset + GIC.cpuInterface);
  const runs = Array.from({ length: count }, (_, i) => {
    const at = GIC.list + GIC_RUN.size * i;
    const each = view.getBigUint64(at + GIC_RUN.count, true);
    if (each > 0xfffn) throw bad(`a run of ${each} redistributors`, offset + at + GIC_RUN.count);
    return { base: view.getBigUint64(at + GIC_RUN.base, true), count: Number(each) };
  });
  if (!isOneRun) return { version, distributor, redistributors: runs };
  if (runs.length !== 1 || runs[0]!.count !== 0) throw bad('it is not one run', offset + GIC.runs);
  return { version, distributor, redistributors: runs[0]!.base };
}

function readGicRegister(version: 2 | 3, bytes: Uint8Array, place: number, seen: Set<string>): GicValue {
  const view = viewOf(bytes);
  const group = view.getUint32(GIC_REGISTER.group, true);
  const attr = view.getBigUint64(GIC_REGISTER.attr, true);
  const value = view.getBigUint64(GIC_REGISTER.value, true);
  if (view.getUint32(GIC_REGISTER.zero, true) !== 0) throw bad('this must be 0', place + GIC_REGISTER.zero);
  const found = findGicRegister(version, group, attr);
  if (found === undefined)
    throw bad(`a GICv${version} has no attribute 0x${attr.toString(16)} in group ${group}`, place);
  const key = `${group} ${attr}`;
  if (seen.has(key)) throw bad(`${found.name} is in it twice`, place);
  seen.add(key);
  if (value >> BigInt(8 * found.register.bytes) !== 0n)
    throw bad(`the value of ${found.name} is wider than the register`, place + GIC_REGISTER.value);
  return { group, attr, value };
}

/** What a vCPU has of devices. */
export function readVcpuDevices(content: Content): Pick<VcpuState, 'pmu' | 'pvTime'> {
  const { bytes, offset } = content;
  if (bytes.length < VCPU_DEVICES.list)
    throw bad("the section ends within a vCPU's devices", offset + bytes.length);
  const view = viewOf(bytes);
  const flags = view.getUint32(VCPU_DEVICES.flags, true);
  const { pmu, pmuIrq, pvTime } = VCPU_DEVICES_FLAG;
  const hasPmu = (flags & pmu) !== 0;
  if (flags === 0 || (flags & ~(pmu | pmuIrq | pvTime)) !== 0 || (flags & (pmu | pmuIrq)) === pmuIrq)
    throw bad(`impossible flags 0x${flags.toString(16)}`, offset + VCPU_DEVICES.flags);
  const irq = view.getUint32(VCPU_DEVICES.irq, true);
  if ((flags & pmuIrq) === 0 ? irq !== 0 : irq < 16 || irq > 1019)
    throw bad(`${irq} is no interrupt of a PMU`, offset + VCPU_DEVICES.irq);
  const address = view.getBigUint64(VCPU_DEVICES.pvTime, true);
  if ((flags & pvTime) === 0 ? address !== 0n : address % 64n !== 0n || address >> 52n !== 0n)
    throw bad(`stolen time is not told at 0x${address.toString(16)}`, offset + VCPU_DEVICES.pvTime);
  if (view.getUint32(VCPU_DEVICES.zero, true) !== 0) throw bad('this must be 0', offset + VCPU_DEVICES.zero);
  const count = view.getUint32(VCPU_DEVICES.ranges, true);
  if (!hasPmu && count > 0) throw bad('a filter without a PMU', offset + VCPU_DEVICES.ranges);
  const place = { at: VCPU_DEVICES.ranges, count, size: PMU_FILTER_SIZE, start: VCPU_DEVICES.list };
  const filter = listOf(content, place, (range, at) =>
    known(decodePmuFilter(range), 'no such struct kvm_pmu_event_filter', at),
  );
  return {
    ...(hasPmu && { pmu: { irq: (flags & pmuIrq) === 0 ? undefined : irq, filter } }),
    ...((flags & pvTime) !== 0 && { pvTime: address }),
  };
}
