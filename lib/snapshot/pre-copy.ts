/**
 * The memory of a VM that goes on running, in rounds: all of it, then what its guest has written meanwhile, until little
 * is left for the moment in which the guest must stand still.
 *
 * @packageDocumentation
 */
import { setImmediate } from 'node:timers/promises';
import { checkOptions, checkUnsigned } from '../abi/argument.ts';
import type { Vm } from '../vm.ts';
import { checkVm } from './arguments.ts';
import { copied, pagesLength } from './memory-state.ts';
import { settingsOf, viewMemory } from './save-vm.ts';
import { provenanceOf, type SavedState } from './vcpu-state.ts';

/** Options of {@link preCopy}. */
export interface PreCopyOptions {
  /** A round of at most so many bytes is the last. Default: 1 MiB. */
  readonly smallEnough?: number | undefined;
  /** As is this one, whatever its size: a guest may write faster than its memory moves. Default: 20. */
  readonly maxRounds?: number | undefined;
}

/**
 * The rounds of a live move. Each is a state of memory alone, to be restored to the same VM, in order
 * ({@link restoreVm}). Between two rounds the event loop goes on, and with it the guest. After the last: take the vCPUs out
 * of their guest, and have {@link saveVm} save the rest as `'dirty'`. Dirty pages stay logged.
 *
 * @example
 * ```ts
 * let target: Kvm | Vm = Kvm.open({ host: 'linux-6.18-max' });
 * for await (const round of preCopy(vm)) target = restoreVm(target, round).vm;
 * vcpu.kick();
 * await running;
 * restoreVm(target, saveVm(vm, { memory: 'dirty' }));
 * ```
 */
export async function* preCopy(vm: Vm, options: PreCopyOptions = {}): AsyncGenerator<SavedState, void, void> {
  checkVm('vm', vm);
  checkOptions('options', options, ['smallEnough', 'maxRounds']);
  const { smallEnough = 2 ** 20, maxRounds = 20 } = options;
  checkUnsigned('smallEnough', smallEnough, Number.MAX_SAFE_INTEGER);
  checkUnsigned('maxRounds', maxRounds, Number.MAX_SAFE_INTEGER);
  for (const memory of vm.memory) if (!memory.readOnly) memory.setLogDirtyPages(true);
  for (let round = 1, which: 'all' | 'dirty' = 'all'; ; round++, which = 'dirty') {
    const memory = viewMemory(vm, which).map(copied);
    yield { provenance: provenanceOf(vm.kvm), vm: settingsOf(vm), vcpus: [], memory };
    const bytes = memory.reduce((sum, region) => sum + pagesLength(region), 0);
    if (bytes <= smallEnough || round >= maxRounds) return;
    await setImmediate();
  }
}
