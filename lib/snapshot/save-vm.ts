/**
 * All that defines a VM, taken from it.
 *
 * @packageDocumentation
 */
import { checkOptions, invalidValue } from '../abi/argument.ts';
import { KVM_CAP } from '../abi/capabilities.ts';
import { KVM_DEV_TYPE } from '../abi/device-attributes.ts';
import { KvmError } from '../errors.ts';
import type { Vm } from '../vm.ts';
import { checkVm } from './arguments.ts';
import { saveGic } from './gic-state.ts';
import { copied, type MemoryState, type SavedMemory, saveMemory } from './memory-state.ts';
import { provenanceOf, type SavedState, saveVcpu, type VmSettings } from './vcpu-state.ts';
import { timerIrq } from './write-devices.ts';

/** Options of {@link saveVm}. */
export interface SaveOptions {
  /** What of memory. Default: `'all'`. */
  readonly memory?: SavedMemory | undefined;
}

/**
 * Saves a VM: its vCPUs, its interrupt controller, its memory without the pages of zeros, and what was set on it. None of
 * its vCPUs may run. What the program holds is none of it: eventfds with their routes, a debugger's breakpoints, the levels
 * that it gives to the lines of a GICv2.
 *
 * @throws KvmError `ERR_VCPU_RUNNING`; `ERR_NOT_INITIALIZED`: a vCPU was not initialised; `ERR_CANNOT_SAVE`: the VM has a
 * device that {@link Vm.createDevice} made, as an ITS, or memory with tags (`ARM_MTE`); ENOENT: `memory` is `'dirty'` and a
 * region is not logged
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
  checkVm('vm', vm);
  checkOptions('options', options, ['memory']);
  const { memory = 'all' } = options;
  if (!['all', 'dirty', 'none'].includes(memory))
    throw invalidValue('memory', "'all', 'dirty' or 'none'", memory);
  checkSavable(vm);
  const vcpus = vm.vcpus.map(saveVcpu);
  const gic = saveGic(vm);
  return {
    provenance: provenanceOf(vm.kvm),
    vm: settingsOf(vm),
    ...(gic && { gic }),
    vcpus,
    memory: memory === 'none' ? undefined : viewMemory(vm, memory),
  };
}

/** Better no state than one without a part that the guest misses. */
function checkSavable({ deviceTypes, enabledCaps }: Vm): void {
  const [type] = deviceTypes;
  const name = Object.entries(KVM_DEV_TYPE).find(([, number]) => number === type)?.[0];
  if (type !== undefined) throw cannotSave(`it has a device of the type ${name ?? type}`);
  if (enabledCaps.some(({ cap }) => cap === KVM_CAP.KVM_CAP_ARM_MTE))
    throw cannotSave('its memory has tags (KVM_CAP_ARM_MTE)');
}

function cannotSave(why: string): KvmError {
  return new KvmError('ERR_CANNOT_SAVE', `ERR_CANNOT_SAVE: the VM cannot be saved: ${why}`, {
    hint: 'An interrupt controller that is saved is made by vm.createGic(); of others, save the vCPUs with saveVcpus()',
  });
}

/** What was set on a VM. */
export function settingsOf(vm: Vm): VmSettings {
  const { ipaBits, enabledCaps, smcccFilter } = vm;
  const timerIrqs = timerIrqsOf(vm);
  return {
    ipaBits,
    capabilities: enabledCaps,
    ...(smcccFilter.length > 0 && { smcccFilter }),
    ...(timerIrqs && { timerIrqs }),
  };
}

/** PPIs that the kernel gives to the timers by itself (`default_ppi`, arch/arm64/kvm/arch_timer.c). */
const DEFAULT_PPIS = [27, 30, 28, 26];

/** They can be others only where there is a GIC. */
function timerIrqsOf({ gic, vcpus: [vcpu] }: Vm): number[] | undefined {
  if (gic === undefined || vcpu === undefined) return undefined;
  const irqs = DEFAULT_PPIS.map((_, timer) => timerIrq(vcpu, timer)).filter(irq => irq !== undefined);
  return irqs.every((irq, timer) => irq === DEFAULT_PPIS[timer]) ? undefined : irqs;
}

/** All regions of a VM. */
export function viewMemory(vm: Vm, which: 'all' | 'dirty'): MemoryState[] {
  const clears = vm.enabledCaps.some(
    ({ cap, args }) => cap === KVM_CAP.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 && args[0] !== 0n,
  );
  return vm.memory.map(region => saveMemory(region, which, clears));
}
