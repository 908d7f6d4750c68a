/**
 * A state for people and scripts.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto';
import { mpStateName } from '../abi/mp-state.ts';
import { featureName } from '../abi/vcpu-features.ts';
import { bitsOf } from './features.ts';
import type { SavedState, VcpuState } from './vcpu-state.ts';

/** What {@link stateToJson} gives. */
export interface StateJson {
  readonly provenance: SavedState['provenance'];
  readonly vcpus: readonly VcpuJson[];
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
export function stateToJson({ provenance, vcpus }: SavedState): StateJson {
  return { provenance, vcpus: vcpus.map(vcpuToJson) };
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
