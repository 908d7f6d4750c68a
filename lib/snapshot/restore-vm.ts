/**
 * Puts a saved VM into a new one, or a part of it into one that has earlier parts.
 *
 * @packageDocumentation
 */
import { invalidType } from '../abi/argument.ts';
import { KvmError } from '../errors.ts';
import { Kvm } from '../kvm.ts';
import type { GuestMemory } from '../memory.ts';
import { toRegisterId } from '../register-batch.ts';
import { Vm } from '../vm.ts';
import { checkPlanOptions, checkSavedState } from './arguments.ts';
import { type MemoryState, writePages } from './memory-state.ts';
import { createVmLike, planRestore, type RestoreOptions, type RestorePlan } from './plan-restore.ts';
import { checkLoads, failed } from './restore-vcpu.ts';
import type { SavedState } from './vcpu-state.ts';
import { prepareDevices, writeGic } from './write-devices.ts';
import {
  byPhase,
  LATE_PHASES,
  OWN_PHASES,
  prepareVcpu,
  type Refusal,
  writePhases,
  writeRunState,
} from './write-state.ts';

/** What {@link restoreVm} made. */
export interface RestoredVm {
  readonly vm: Vm;
  /** As {@link planRestore} gives it. */
  readonly plan: RestorePlan;
}

/**
 * Restores a VM: what was set on it, its memory, its vCPUs, its interrupt controller. It goes on where it was with the next
 * run.
 *
 * @param target - where: a host, on which a VM is made; or a VM that earlier parts of the state were restored to, as a
 * move by rounds does it
 * @throws RestoreError as {@link restoreVcpu}; KvmError `ERR_INCOMPLETE_STATE`: the state has only the pages that were
 * written since an earlier one, and that was not restored first; as {@link Vm.addMemory}. Nothing can run then: a VM that
 * was made is closed, and so is the one that was given, unless the plan said so beforehand
 * @example
 * ```ts
 * const { vm } = restoreVm(Kvm.open(), decodeState(readFileSync('guest.state')));
 * for (const vcpu of vm.vcpus) vcpu.runSync();
 * ```
 */
export function restoreVm(target: Kvm | Vm, state: SavedState, options: RestoreOptions = {}): RestoredVm {
  const restore = new Restore(target, state, options);
  try {
    restore.regions().forEach((memory, i) => {
      writePages(memory.bytes, state.memory![i]!);
    });
    return restore.finish();
  } catch (error) {
    restore.vm.close();
    throw error;
  }
}

/** A restore that goes on. The caller fills the regions in between, and closes the VM where it fails. */
export class Restore {
  readonly vm: Vm;
  readonly plan: RestorePlan;
  readonly #state: SavedState;
  readonly #omitted: ReadonlySet<bigint>;

  /** Nothing is touched where this throws. */
  constructor(target: Kvm | Vm, state: SavedState, options: RestoreOptions) {
    if (!(target instanceof Kvm) && !(target instanceof Vm))
      throw invalidType('target', 'a Kvm or a Vm', target);
    checkSavedState('state', state);
    checkPlanOptions(options);
    const kvm = target instanceof Vm ? target.kvm : target;
    this.#state = state;
    this.#omitted = new Set(Array.from(options.omit ?? [], toRegisterId));
    this.plan = planRestore(state, kvm, { omit: this.#omitted });
    checkLoads(this.plan);
    const present = target instanceof Vm ? target.memory : [];
    const missing = state.memory?.find(region => !region.complete && !present.some(isOf(region)));
    if (missing !== undefined) throw incomplete(missing);
    this.vm =
      target instanceof Vm
        ? target
        : state.vm === undefined
          ? kvm.createVm()
          : createVmLike(kvm, state.vm.ipaBits);
  }

  /** The regions of the state's memory, in its order; zeroed where all that is in them comes from the state. */
  regions(): GuestMemory[] {
    const { vm } = this;
    const enabled = new Set(vm.enabledCaps.map(({ cap }) => cap));
    for (const { cap, flags, args } of this.#state.vm?.capabilities ?? []) {
      if (!enabled.has(cap)) vm.enableCap(cap, args, flags);
    }
    const { smcccFilter = [] } = this.#state.vm ?? {};
    if (smcccFilter.length > 0 && vm.smcccFilter.length === 0) vm.setSmcccFilter(smcccFilter);
    return (this.#state.memory ?? []).map(region => {
      const present = vm.memory.find(isOf(region));
      if (present === undefined) {
        const { guestPhysAddr, size, readOnly, logDirtyPages } = region;
        return vm.addMemory({ guestPhysAddr, size, readOnly, logDirtyPages });
      }
      if (region.complete) present.bytes.fill(0);
      return present;
    });
  }

  /**
   * What comes behind the memory: the GIC wants all vCPUs to be there, and their affinities for its registers; the clocks of
   * the guest go on from when they are written.
   */
  finish(): RestoredVm {
    const { vm, plan } = this;
    const state = this.#state;
    const loads = state.vcpus.map(vcpu => ({
      state: vcpu,
      vcpu: vm.vcpus.find(({ id }) => id === vcpu.id) ?? vm.createVcpu(vcpu.id),
      phases: byPhase([...vcpu.registers].filter(([id]) => !this.#omitted.has(id))),
    }));
    const steps: (() => Refusal[])[] = [
      ...loads.map(load => () => prepareVcpu(load.vcpu, load.state.featureBits, load.phases)),
      () =>
        state.vm === undefined
          ? []
          : prepareDevices(vm, state, new Map(loads.map(load => [load.state, load.vcpu]))),
      ...loads.map(load => () => writePhases(load.vcpu, load.phases, false, OWN_PHASES)),
      () => (state.gic === undefined || !state.gic.initialized ? [] : writeGic(vm.gic!, state.gic, false)),
      ...loads.map(load => () => writePhases(load.vcpu, load.phases, false, LATE_PHASES)),
      ...loads.map(load => () => writeRunState(load.vcpu, load.state.mpState, load.state.events)),
    ];
    for (const step of steps) {
      const [refusal] = step();
      if (refusal !== undefined) throw failed(plan, refusal, 'The VM is closed');
    }
    return { vm, plan };
  }
}

function isOf({ guestPhysAddr, size }: MemoryState): (memory: GuestMemory) => boolean {
  return memory => memory.guestPhysAddr === guestPhysAddr && memory.size === size;
}

function incomplete({ guestPhysAddr }: MemoryState): KvmError {
  return new KvmError(
    'ERR_INCOMPLETE_STATE',
    `ERR_INCOMPLETE_STATE: of the memory at 0x${guestPhysAddr.toString(16)} the state has only what was written since an earlier one`,
    { hint: 'Restore the earlier state first, and this one to the VM that it gives; or merge them' },
  );
}
