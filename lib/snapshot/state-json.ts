/**
 * A state for people and scripts.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto';
import { capabilityName } from '../abi/capabilities.ts';
import { mpStateName } from '../abi/mp-state.ts';
import { featureName } from '../abi/vcpu-features.ts';
import { bitsOf } from './features.ts';
import { PAGE } from './file-layout.ts';
import { type MemoryState, pagesLength } from './memory-state.ts';
import type { SavedState, VcpuState, VmSettings } from './vcpu-state.ts';

/** What {@link stateToJson} gives. */
export interface StateJson {
  readonly provenance: SavedState['provenance'];
  /** Absent where vCPUs alone were saved. */
  readonly vm?: VmJson;
  readonly vcpus: readonly VcpuJson[];
  readonly memory?: readonly MemoryJson[];
}

/** What was set on the VM. */
export interface VmJson {
  readonly ipaBits: number;
  /** Names of what was enabled, or numbers where they have none, with the arguments that are not zero at the end. */
  readonly capabilities: readonly { readonly name: string | number; readonly args: readonly string[] }[];
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
  /** SHA-256 of the ids in their order, 8 bytes each: the same where kernels list the same. */
  readonly registerList: string;
  /** Values in hex by name. */
  readonly registers: Readonly<Record<string, string>>;
}

/** A state as JSON takes it. */
export function stateToJson({ provenance, vm, vcpus, memory }: SavedState): StateJson {
  return {
    provenance,
    ...(vm && { vm: vmToJson(vm) }),
    vcpus: vcpus.map(vcpuToJson),
    ...(memory && { memory: memory.map(memoryToJson) }),
  };
}

function vmToJson({ ipaBits, capabilities }: VmSettings): VmJson {
  return {
    ipaBits,
    capabilities: capabilities.map(({ cap, args }) => ({
      name: capabilityName(cap) ?? cap,
      args: args.slice(0, args.findLastIndex(arg => arg !== 0n) + 1).map(arg => `0x${arg.toString(16)}`),
    })),
  };
}

function memoryToJson(region: MemoryState): MemoryJson {
  const { guestPhysAddr, size, readOnly, logDirtyPages, complete, pages } = region;
  const hash = createHash('sha256');
  for (const part of pages) hash.update(part);
  return {
    guestPhysAddr: `0x${guestPhysAddr.toString(16)}`,
    size,
    readOnly,
    logDirtyPages,
    complete,
    pages: pagesLength(region) / PAGE,
    sha256: hash.digest('hex'),
  };
}

function vcpuToJson(state: VcpuState): VcpuJson {
  const { architecture, events, registers } = state;
  return {
    id: state.id,
    architecture,
    target: state.target,
    features: bitsOf(state.featureBits).map(bit => featureName(bit, architecture) ?? bit),
    mpState: mpStateName(state.mpState),
    events: {
      serrorPending: events.serrorPending,
      ...(events.serrorHasEsr && { serrorEsr: `0x${events.serrorEsr.toString(16)}` }),
    },
    registerList: createHash('sha256').update(registers.ids).digest('hex'),
    registers: registers.toJSON(),
  };
}
