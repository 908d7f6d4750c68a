/**
 * A state for people and scripts.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto';
import { capabilityName } from '../abi/capabilities.ts';
import type { PmuEventRange } from '../abi/device-attributes.ts';
import { findGicRegister } from '../abi/gic-registers.ts';
import { mpStateName } from '../abi/mp-state.ts';
import { featureName } from '../abi/vcpu-features.ts';
import type { GicPlacement } from '../gic.ts';
import { checkSavedState } from './arguments.ts';
import { bitsOf } from './features.ts';
import { PAGE } from './file-layout.ts';
import { type GicState, gicRegisterName } from './gic-state.ts';
import { type MemoryState, pagesLength } from './memory-state.ts';
import type { SavedState, VcpuState, VmSettings } from './vcpu-state.ts';

/** What {@link stateToJson} gives. */
export interface StateJson {
  readonly provenance: SavedState['provenance'];
  /** Absent where vCPUs alone were saved. */
  readonly vm?: VmJson;
  /** Absent where the VM has none. */
  readonly gic?: GicJson;
  readonly vcpus: readonly VcpuJson[];
  readonly memory?: readonly MemoryJson[];
}

/** What was set on the VM. */
export interface VmJson {
  readonly ipaBits: number;
  /** Names of what was enabled, or numbers where they have none, with the arguments that are not zero at the end. */
  readonly capabilities: readonly { readonly name: string | number; readonly args: readonly string[] }[];
  /** Absent where none was set; function ids in hex. */
  readonly smcccFilter?: readonly {
    readonly base: string;
    readonly count: number;
    readonly action: string;
  }[];
  /** PPIs of the timers; absent where they are the kernel's own. */
  readonly timerIrqs?: readonly number[];
}

/** Its interrupt controller. */
export interface GicJson {
  readonly version: number;
  /** In hex, as all addresses. */
  readonly distributor: string;
  /** Of a GICv2. */
  readonly cpuInterface?: string;
  /** Of a GICv3; a `count` of 0 is as many as there are vCPUs. */
  readonly redistributors?: readonly { readonly base: string; readonly count: number }[];
  /** How many interrupts; null where nobody has said. */
  readonly irqs: number | null;
  /** Of guests with an EL2 of their own. */
  readonly maintenanceIrq?: number;
  readonly initialized: boolean;
  /** Values in hex by name; those of a CPU with its affinity, or the number of a GICv2: `'GICR_ISENABLER0 of CPU 1'`. */
  readonly registers: Readonly<Record<string, string>>;
}

/** One region of memory. */
export interface MemoryJson {
  /** In hex. */
  readonly guestPhysAddr: string;
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly logDirtyPages: boolean;
  readonly complete: boolean;
  /** How many pages of 4096 bytes are in it, and the SHA-256 of those. */
  readonly pages: number;
  readonly sha256: string;
}

/** One vCPU of it. */
export interface VcpuJson {
  readonly id: number;
  readonly architecture: string;
  readonly target: number;
  /** By name, or by bit where it has none. */
  readonly features: readonly (string | number)[];
  readonly mpState: string | number;
  readonly events: { readonly serrorPending: boolean; readonly serrorEsr?: string };
  /** Of a PMU that is initialised: its interrupt, null without one, and its filter. */
  readonly pmu?: { readonly irq: number | null; readonly filter: readonly PmuEventRange[] };
  /** Where its guest finds its stolen time. */
  readonly pvTime?: string;
  /** SHA-256 of the ids in their order, 8 bytes each: the same where kernels list the same. */
  readonly registerList: string;
  /** Values in hex by name. */
  readonly registers: Readonly<Record<string, string>>;
}

/** A state as JSON takes it. */
export function stateToJson(state: SavedState): StateJson {
  checkSavedState('state', state);
  const { provenance, vm, gic, vcpus, memory } = state;
  return {
    provenance,
    ...(vm && { vm: vmToJson(vm) }),
    ...(gic && { gic: gicToJson(gic) }),
    vcpus: vcpus.map(vcpuToJson),
    ...(memory && { memory: memory.map(memoryToJson) }),
  };
}

const hex = (value: number | bigint) => `0x${value.toString(16)}`;

function vmToJson({ ipaBits, capabilities, smcccFilter, timerIrqs }: VmSettings): VmJson {
  return {
    ipaBits,
    capabilities: capabilities.map(({ cap, args }) => ({
      name: capabilityName(cap) ?? cap,
      args: args.slice(0, args.findLastIndex(arg => arg !== 0n) + 1).map(hex),
    })),
    ...(smcccFilter && { smcccFilter: smcccFilter.map(range => ({ ...range, base: hex(range.base) })) }),
    ...(timerIrqs && { timerIrqs }),
  };
}

function gicToJson({ placement, irqs, maintenanceIrq, initialized, registers }: GicState): GicJson {
  const { version, distributor } = placement;
  const named = registers.map(({ group, attr, value }): [string, string] => {
    const { name, cpu } = findGicRegister(version, group, attr)!;
    return [gicRegisterName(name, cpu), hex(value)];
  });
  return {
    version,
    distributor: hex(distributor),
    ...(version === 2
      ? { cpuInterface: hex(placement.cpuInterface) }
      : { redistributors: runsOf(placement.redistributors) }),
    irqs: irqs ?? null,
    ...(maintenanceIrq !== undefined && { maintenanceIrq }),
    initialized,
    registers: Object.fromEntries(named),
  };
}

function runsOf(
  given: (GicPlacement & { version: 3 })['redistributors'],
): NonNullable<GicJson['redistributors']> {
  const runs = typeof given === 'bigint' ? [{ base: given, count: 0 }] : given;
  return runs.map(({ base, count }) => ({ base: hex(base), count }));
}

function memoryToJson(region: MemoryState): MemoryJson {
  const { guestPhysAddr, size, readOnly, logDirtyPages, complete, pages } = region;
  const hash = createHash('sha256');
  for (const part of pages) hash.update(part);
  return {
    guestPhysAddr: hex(guestPhysAddr),
    size,
    readOnly,
    logDirtyPages,
    complete,
    pages: pagesLength(region) / PAGE,
    sha256: hash.digest('hex'),
  };
}

function vcpuToJson(state: VcpuState): VcpuJson {
  const { architecture, events, registers, pmu, pvTime } = state;
  return {
    id: state.id,
    architecture,
    target: state.target,
    features: bitsOf(state.featureBits).map(bit => featureName(bit, architecture) ?? bit),
    mpState: mpStateName(state.mpState),
    events: {
      serrorPending: events.serrorPending,
      ...(events.serrorHasEsr && { serrorEsr: hex(events.serrorEsr) }),
    },
    ...(pmu && { pmu: { irq: pmu.irq ?? null, filter: pmu.filter ?? [] } }),
    ...(pvTime !== undefined && { pvTime: hex(pvTime) }),
    registerList: createHash('sha256').update(registers.ids).digest('hex'),
    registers: registers.toJSON(),
  };
}
