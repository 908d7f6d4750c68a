/**
 * All that defines a VM, taken from it.
 *
 * @packageDocumentation
 */
import { checkOptions, invalidValue } from '../abi/argument.ts';
import { KVM_CAP } from '../abi/capabilities.ts';
import type { Vm } from '../vm.ts';
import { copied, type MemoryState, type SavedMemory, saveMemory } from './memory-state.ts';
import { provenanceOf, type SavedState, saveVcpu, type VmSettings } from './vcpu-state.ts';

/** Options of {@link saveVm}. */
export interface SaveOptions {
  /** What of memory. Default: `'all'`. */
  readonly memory?: SavedMemory | undefined;
}

/**
 * Saves a VM: its vCPUs, its memory without the pages of zeros, and what was set on it. None of its vCPUs may run.
 *
 * @throws KvmError `ERR_VCPU_RUNNING`; `ERR_NOT_INITIALIZED`: a vCPU was not initialised; ENOENT: `memory` is `'dirty'` and
 * a region is not logged
 * @example
 * ```ts
 * const state = saveVm(vm);
 * const { vm: moved } = restoreVm(Kvm.open({ host: 'linux-6.18-max' }), state);
 * ```
 */
export function saveVm(vm: Vm, options: SaveOptions = {}): SavedState {
  const state = viewVm(vm, options);
  return { ...state, memory: state.memory?.map(copied) };
}

/** The same without a copy of the memory. */
export function viewVm(vm: Vm, options: SaveOptions): SavedState {
  checkOptions('options', options, ['memory']);
  const { memory = 'all' } = options;
  if (!['all', 'dirty', 'none'].includes(memory))
    throw invalidValue('memory', "'all', 'dirty' or 'none'", memory);
  const vcpus = vm.vcpus.map(saveVcpu);
  return {
    provenance: provenanceOf(vm.kvm),
    vm: settingsOf(vm),
    vcpus,
    memory: memory === 'none' ? undefined : viewMemory(vm, memory),
  };
}

/** What must be there before vCPUs are. */
export function settingsOf({ ipaBits, enabledCaps }: Vm): VmSettings {
  return { ipaBits, capabilities: enabledCaps };
}

/** All regions of a VM. */
export function viewMemory(vm: Vm, which: 'all' | 'dirty'): MemoryState[] {
  const clears = vm.enabledCaps.some(
    ({ cap, args }) => cap === KVM_CAP.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 && args[0] !== 0n,
  );
  return vm.memory.map(region => saveMemory(region, which, clears));
}
