/**
 * Writes a state into a vCPU, phase after phase. Whether that is a trial or the real thing, and what a refusal means, is
 * the caller's.
 *
 * @packageDocumentation
 */
import { parseRegister } from '../abi/register-names.ts';
import type { VcpuEvents } from '../abi/structs.ts';
import { KvmError } from '../errors.ts';
import type { RegisterBatch } from '../register-batch.ts';
import type { Vcpu } from '../vcpu.ts';
import { bitsOf, hasSve } from './features.ts';
import { type Phase, phaseOf, REGISTER_PHASES } from './phases.ts';

/** What a kernel refused. */
export interface Refusal {
  readonly phase: Phase;
  /** Of a vCPU's register; with the value that was to be written. */
  readonly register?: { readonly id: bigint; readonly value: bigint };
  /** Of anything else that is not a vCPU's own: the GIC, one of its registers, the PMU … */
  readonly device?: DeviceRefusal;
  readonly error: KvmError;
}

/** What of a device was refused. */
export interface DeviceRefusal {
  /** Whose it is. */
  readonly what: 'GIC' | 'VM' | 'vcpu';
  readonly name: string;
  readonly vcpu?: number | undefined;
  /** Of a register of the GIC. */
  readonly entry?: { readonly group: number; readonly attr: bigint; readonly value: bigint };
}

/** A register with its value. */
export type Entry = readonly [id: bigint, value: bigint];

/** Registers by the phase in which they are written, in order. */
export function byPhase(entries: Iterable<Entry>): ReadonlyMap<Phase, readonly Entry[]> {
  const phases = new Map<Phase, Entry[]>(REGISTER_PHASES.map(phase => [phase, []]));
  for (const entry of clearFirst([...entries])) phases.get(phaseOf(entry[0]))!.push(entry);
  return phases;
}

/** Pairs of registers over the same bits of the PMU. */
const CLEARED_BY = new Map(
  [
    ['PMINTENCLR_EL1', 'PMINTENSET_EL1'],
    ['PMCNTENCLR_EL0', 'PMCNTENSET_EL0'],
    ['PMOVSCLR_EL0', 'PMOVSSET_EL0'],
  ].map(([clear, set]) => [parseRegister(clear!), parseRegister(set!)] as const),
);
const ALL_COUNTERS = 0xffff_ffffn;

/**
 * Linux 6.7 and its successors let userspace do to PM*SET and PM*CLR what a guest does (`set_pmreg`, sys_regs.c): who writes
 * back what he read from both sets the bits, and clears them again. All cleared first, then set as they were, is the same
 * on every kernel, those before, which store, and those after, which assign.
 */
function clearFirst(entries: readonly Entry[]): Entry[] {
  const ids = new Set(entries.map(([id]) => id));
  const isClearing = ([id]: Entry) => ids.has(CLEARED_BY.get(id) ?? -1n);
  return [
    ...entries.filter(isClearing).map(([id]) => [id, ALL_COUNTERS] as const),
    ...entries.filter(entry => !isClearing(entry)),
  ];
}

/** Features, vector lengths and finalization: what must come before registers can be listed. */
export function prepareVcpu(
  vcpu: Vcpu,
  featureBits: bigint,
  phases: ReadonlyMap<Phase, readonly Entry[]>,
): Refusal[] {
  const { kvm } = vcpu.vm;
  const refused = attempt(() => vcpu.init({ features: bitsOf(featureBits) }));
  if (refused !== undefined) return [{ phase: 'init', error: refused }];
  const lengths = phases.get('vector lengths')!;
  // Those of a vCPU that was finalized before cannot be written any more, and need not be where they are the same.
  const present = vcpu.getRegs(lengths.map(([id]) => id));
  const wanted = lengths.filter(([, value], i) => present.status[i]! < 0 || present.valueAt(i) !== value);
  const refusals = writeRegisters(vcpu, 'vector lengths', wanted);
  if (hasSve(kvm, featureBits)) {
    const error = attempt(() => vcpu.finalize('SVE'));
    if (error !== undefined && error.code !== 'EPERM') refusals.push({ phase: 'finalize', error });
  }
  return refusals;
}

/** The phases behind {@link prepareVcpu}; between those of its own and the counters comes what is around a vCPU. */
export const OWN_PHASES = ['firmware', 'identification', 'state'] as const;
export const LATE_PHASES = ['counters'] as const;

/** Writes the registers of some phases; goes on after a refusal where `all` are wanted. */
export function writePhases(
  vcpu: Vcpu,
  phases: ReadonlyMap<Phase, readonly Entry[]>,
  all: boolean,
  wanted: readonly Phase[] = [...OWN_PHASES, ...LATE_PHASES],
): Refusal[] {
  const refusals: Refusal[] = [];
  for (const phase of wanted) {
    refusals.push(...writeRegisters(vcpu, phase, phases.get(phase)!));
    if (refusals.length > 0 && !all) break;
  }
  return refusals;
}

function writeRegisters(vcpu: Vcpu, phase: Phase, entries: readonly Entry[]): Refusal[] {
  const written: RegisterBatch = vcpu.setRegs(entries);
  return entries.flatMap(([id, value], i) => {
    const error = written.errorAt(i);
    return error === undefined ? [] : [{ phase, register: { id, value }, error }];
  });
}

/** MP state and a pending SError. */
export function writeRunState(vcpu: Vcpu, mpState: number, events: VcpuEvents): Refusal[] {
  const { kvm } = vcpu.vm;
  const refused = [
    // One that cannot be set needs not be: the vCPU has it since its init.
    kvm.checkExtension('MP_STATE') > 0 ? attempt(() => vcpu.setMpState(mpState)) : undefined,
    events.serrorPending ? attempt(() => vcpu.setVcpuEvents(events)) : undefined,
  ];
  return refused.flatMap(error => (error === undefined ? [] : [{ phase: 'run state', error }]));
}

/** Answers what a kernel refused. */
export function attempt(call: () => void): KvmError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof KvmError) return error;
    throw error;
  }
}
