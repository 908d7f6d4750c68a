/**
 * `kvm-arm64/state`: save a vCPU or a whole VM, restore it elsewhere, and say beforehand whether that will work. It takes the vCPUs and
 * hosts of any of the other entries, and is one of its own as most programs that hold a vCPU never move it.
 *
 * @packageDocumentation
 */
export { applyBaseline, type Baseline, baseline, type Spoiler } from './compare/baseline.ts';
export {
  compareHosts,
  type FeatureOptions,
  type HostComparison,
  WANTED_FEATURES,
} from './compare/compare-hosts.ts';
export type { GicBaseline } from './compare/gic-baseline.ts';
export { decodeState } from './snapshot/decode-state.ts';
export { diffStates, type StateDifference } from './snapshot/diff-states.ts';
export { encodeState } from './snapshot/encode-state.ts';
export type { Effect, FieldDifference, Finding, Remedy, Verdict } from './snapshot/finding.ts';
export type { GicState, GicValue } from './snapshot/gic-state.ts';
export type { MemoryState, SavedMemory } from './snapshot/memory-state.ts';
export type { Phase } from './snapshot/phases.ts';
export {
  type PlanOptions,
  planRestore,
  type RestoreOptions,
  type RestorePlan,
} from './snapshot/plan-restore.ts';
export { type PreCopyOptions, preCopy } from './snapshot/pre-copy.ts';
export { RestoreError, restoreVcpu } from './snapshot/restore-vcpu.ts';
export { type RestoredVm, restoreVm } from './snapshot/restore-vm.ts';
export { type SaveOptions, saveVm } from './snapshot/save-vm.ts';
export {
  type GicJson,
  type MemoryJson,
  type StateJson,
  stateToJson,
  type VcpuJson,
  type VmJson,
} from './snapshot/state-json.ts';
export { describeFinding } from './snapshot/text.ts';
export {
  type Provenance,
  type SavedState,
  saveVcpu,
  saveVcpus,
  type VcpuState,
  type VmSettings,
} from './snapshot/vcpu-state.ts';
export { restoreVmFromFile, saveVmToFile } from './snapshot/vm-file.ts';
export type { DeviceRefusal, Refusal } from './snapshot/write-state.ts';
