/**
 * A migration that is really executed: a guest runs, its VM is saved, goes through the bytes of a file, and is written
 * into a VM of another host as a VMM does that knows no plans, register by register in the order of the list. The model is
 * that of the discussion of 2018 (reference in `tables-of-2018.ts`), and what VMMs did since.
 *
 * @packageDocumentation
 */
import { formatRegister } from '../abi/register-names.ts';
import type { Kvm } from '../kvm.ts';
import { isBlocking } from '../snapshot/finding.ts';
import { writePages } from '../snapshot/memory-state.ts';
import {
  applyBaseline,
  type Baseline,
  decodeState,
  encodeState,
  planRestore,
  type SavedState,
  saveVm,
} from '../state.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Vm } from '../vm.ts';
import { askGuest, board } from './travelling-guest.ts';

/** How a userspace makes its vCPUs, and what of a state it does not load. */
export type Setup = Pick<Baseline, 'featureBits' | 'registers' | 'omit' | 'gic'>;

/** One end of a migration. */
export interface End {
  readonly kvm: Kvm;
  readonly setup: Setup;
}

/** A guest at its source, saved. */
export interface Departure {
  /** A state file. */
  readonly file: Uint8Array;
  /** The PSCI version that the guest found. */
  readonly found: bigint;
}

/** What became of it. */
export interface Arrival {
  /** The registers that the destination refused, each with the errno, `'X0 EINVAL'`. Without any, it arrived. */
  readonly refused: readonly string[];
  /** The PSCI version that the guest found when it asked again; undefined where it did not arrive. */
  readonly found: bigint | undefined;
}

/** Runs a guest and saves it. */
export function depart({ kvm, setup }: End): Departure {
  return onVm(kvm, setup, (vm, vcpu) => {
    board(vm);
    const found = askGuest(vcpu);
    return { file: encodeState(saveVm(vm)), found };
  });
}

/** Loads a guest that has departed, and runs it on. */
export function arrive(file: Uint8Array, { kvm, setup }: End): Arrival {
  const { vcpus, memory = [] } = decodeState(file);
  return onVm(kvm, setup, (vm, vcpu) => {
    for (const region of memory) {
      const { guestPhysAddr, size } = region;
      writePages(vm.addMemory({ guestPhysAddr, size }).bytes, region);
    }
    const entries = withoutOmitted(vcpus[0]!.registers, setup);
    const written = vcpu.setRegs(entries);
    const refused = entries.flatMap(([id], i) => {
      const error = written.errorAt(i);
      return error === undefined ? [] : [`${formatRegister(id)} ${error.code}`];
    });
    return { refused, found: refused.length === 0 ? askGuest(vcpu) : undefined };
  });
}

/** What {@link planRestore} says beforehand: the registers that will be refused, as in {@link Arrival}. */
export function foretell(file: Uint8Array, { kvm, setup }: End): string[] {
  const state = decodeState(file);
  // The destination initialises with what its own userspace wants, whatever the source's was.
  const vcpus = state.vcpus.map(vcpu => ({ ...vcpu, featureBits: setup.featureBits }));
  const { findings } = planRestore({ ...state, vcpus } satisfies SavedState, kvm, { omit: setup.omit });
  return findings.filter(isBlocking).map(({ name, code }) => `${name} ${code}`);
}

function withoutOmitted(registers: Iterable<readonly [bigint, bigint]>, { omit }: Setup) {
  return [...registers].filter(([id]) => !omit.includes(id));
}

function onVm<Result>(kvm: Kvm, setup: Setup, use: (vm: Vm, vcpu: Vcpu) => Result): Result {
  const vm = kvm.createVm();
  try {
    const vcpu = vm.createVcpu(0);
    applyBaseline(vcpu, setup);
    if (setup.gic !== undefined) {
      // Without one, a first run on Linux 6.12 and later takes the GIC out of the ID registers (`kvm_finalize_sys_regs`), which
      // older kernels refuse.
      const gic = vm.createGic({ version: setup.gic.version });
      gic.init();
      applyBaseline(gic, setup);
    }
    return use(vm, vcpu);
  } finally {
    vm.close();
  }
}
