/**
 * Whether a state loads on a host, said beforehand: by doing it there, on a scratch VM that is closed again. On an
 * emulated host that needs no Arm machine; it answers as the kernel does that it was recorded from.
 *
 * @packageDocumentation
 */
import { capabilityName } from '../abi/capabilities.ts';
import { formatRegister } from '../abi/register-names.ts';
import { DEFAULT_IPA_BITS } from '../abi/vm-type.ts';
import { KvmError } from '../errors.ts';
import type { Kvm } from '../kvm.ts';
import { type Register, type RegisterBatch, toRegisterId } from '../register-batch.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Vm } from '../vm.ts';
import { checkAnyState, checkKvm, checkPlanOptions } from './arguments.ts';
import { acceptedFeatures, featureNames } from './features.ts';
import { differingFields, type Effect, type Finding, isNoticed, type Verdict, verdictOf } from './finding.ts';
import { type Phase, phaseOf } from './phases.ts';
import { DeviceTrial } from './plan-devices.ts';
import { addRemedies } from './remedies.ts';
import { settledValue } from './unused.ts';
import type { SavedState, VcpuState, VmSettings } from './vcpu-state.ts';
import { byPhase, type Entry, prepareVcpu, type Refusal, writePhases, writeRunState } from './write-state.ts';

/** Options of a restore, and of its plan. */
export interface RestoreOptions {
  /** Registers of the state that are not written. */
  readonly omit?: Iterable<Register> | undefined;
}

/** Options of {@link planRestore}. */
export interface PlanOptions extends RestoreOptions {
  /**
   * The host that the state comes from, where it is at hand: remedies are then tried there, too. Without it they are what
   * the destination would accept.
   */
  readonly source?: Kvm | undefined;
}

/** What will happen. */
export interface RestorePlan {
  /** The destination. */
  readonly host: string;
  readonly verdict: Verdict;
  /** Whether the restore will work. */
  readonly loads: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Says what a restore on a host will do: every register that the host lacks, refuses or would change, by name.
 *
 * @param state - one vCPU, or all of a file
 * @param kvm - the destination: this machine's KVM, or `Kvm.open({ host })` of a recorded or modelled one
 * @example
 * ```ts
 * const plan = planRestore(saveVcpu(vcpu), Kvm.open({ host: 'linux-6.1-max' }));
 * plan.loads; // false
 * ```
 */
export function planRestore(state: VcpuState | SavedState, kvm: Kvm, options: PlanOptions = {}): RestorePlan {
  checkAnyState('state', state);
  checkKvm('kvm', kvm);
  checkPlanOptions(options);
  const { omit = [], source } = options;
  const all: SavedState | undefined = 'vcpus' in state ? state : undefined;
  const omitted = new Set(Array.from(omit, toRegisterId));
  const [vm, ofVm] = scratchVm(kvm, all?.vm);
  let findings: readonly Finding[];
  try {
    const trials = (all?.vcpus ?? [state as VcpuState]).map(vcpu => beginTrial(vcpu, vm, omitted));
    // vCPUs that were saved alone come to a VM that has what belongs to it.
    const devices = all?.vm && new DeviceTrial(vm, all, trials, source);
    findings = [
      ...ofVm,
      ...(devices?.prepared ?? []),
      ...trials.flatMap(trial => addRemedies(trial.finish(), trial.state.featureBits, kvm, source)),
      ...(devices?.finish() ?? []),
    ];
  } finally {
    vm.close();
  }
  const verdict = verdictOf(findings);
  return { host: kvm.host, verdict, loads: verdict !== 'incompatible', findings };
}

/** A VM as the state's, as far as the host has such, and what it has not. */
function scratchVm(kvm: Kvm, settings: VmSettings | undefined): [Vm, Finding[]] {
  const findings: Finding[] = [];
  const tried = <Answer>(name: string, ask: () => Answer): Answer | undefined => {
    try {
      return ask();
    } catch (error) {
      if (!(error instanceof KvmError)) throw error;
      findings.push({
        what: 'VM',
        effect: 'refused',
        name,
        fields: [],
        code: error.code,
        guestNotices: true,
      });
      return undefined;
    }
  };
  if (settings === undefined) return [kvm.createVm(), findings];
  const { ipaBits, capabilities, smcccFilter = [] } = settings;
  const vm = tried(`${ipaBits} bits of guest physical addresses`, () => createVmLike(kvm, ipaBits));
  for (const { cap, args, flags } of vm === undefined ? [] : capabilities) {
    tried(capabilityName(cap) ?? `capability ${cap}`, () => vm?.enableCap(cap, args, flags));
  }
  if (smcccFilter.length > 0) tried('the SMCCC filter', () => vm?.setSmcccFilter(smcccFilter));
  return [vm ?? kvm.createVm(), findings];
}

/** A VM with that many bits of addresses; the kernel's default is asked for as such, as kernels before 4.20 know no other. */
export function createVmLike(kvm: Kvm, ipaBits: number): Vm {
  return ipaBits === DEFAULT_IPA_BITS ? kvm.createVm() : kvm.createVm({ ipaBits });
}

/** A vCPU of the scratch VM, initialised, or what stands in the way of that; and what becomes of its registers. */
export interface VcpuTrial {
  readonly state: VcpuState;
  /** Absent where there is none. */
  readonly vcpu?: Vcpu;
  finish(): Finding[];
}

function beginTrial(state: VcpuState, vm: Vm, omitted: ReadonlySet<bigint>): VcpuTrial {
  const { kvm } = vm;
  const about = { vcpu: state.id, fields: [], guestNotices: true } as const;
  if (state.architecture !== kvm.architecture) {
    const name = `vCPUs of ${state.architecture} (the host has those of ${kvm.architecture})`;
    return { state, finish: () => [{ ...about, what: 'architecture', effect: 'lacked', name }] };
  }
  let vcpu: Vcpu;
  try {
    vcpu = vm.createVcpu(state.id);
  } catch (error) {
    if (!(error instanceof KvmError)) throw error;
    const { code } = error;
    return {
      state,
      finish: () => [{ ...about, what: 'vcpu', effect: 'lacked', name: `vCPU ${state.id}`, code }],
    };
  }
  const features = acceptedFeatures(kvm, state.featureBits);
  const lacked = featureNames(kvm, state.featureBits & ~features).map(
    name => ({ ...about, what: 'feature', effect: 'lacked', name, code: 'EINVAL' }) as const,
  );
  const entries = [...state.registers].filter(([id]) => !omitted.has(id));
  const phases = byPhase(entries);
  const early = prepareVcpu(vcpu, features, phases);
  return {
    state,
    vcpu,
    finish: () => [...lacked, ...tryRegisters(state, vcpu, entries, phases, early)],
  };
}

/** @param early - what was refused before registers could be listed */
function tryRegisters(
  state: VcpuState,
  vcpu: Vcpu,
  entries: readonly Entry[],
  phases: ReadonlyMap<Phase, readonly Entry[]>,
  early: readonly Refusal[],
): Finding[] {
  const about = { vcpu: state.id, fields: [], guestNotices: true } as const;
  const fresh = valuesOf(vcpu.getRegs());
  const refusals = [...early, ...writePhases(vcpu, phases, true)];
  const saved = valuesOf(state.registers);
  const note = (effect: Effect, id: bigint, code?: string, destination = fresh.get(id)): Finding => {
    const values = { source: saved.get(id), destination };
    return registerFinding(effect, id, state.id, values, effect === 'added' ? fresh : saved, code);
  };
  const refused = refusals.flatMap(({ register, error }) =>
    register === undefined
      ? []
      : [note(error.code === 'ENOENT' ? 'lacked' : 'refused', register.id, error.code)],
  );
  const refusedIds = new Set(refused.map(({ id }) => id));
  const after = valuesOf(vcpu.getRegs(entries.map(([id]) => id)));
  const changed = entries
    .filter(([id]) => !refusedIds.has(id) && phaseOf(id) !== 'counters')
    .filter(([id, value]) => settledValue(id, after.get(id) ?? ~value) !== settledValue(id, value))
    .map(([id]) => note('changed', id, undefined, after.get(id)));
  const added = [...fresh.keys()].filter(id => !saved.has(id)).map(id => note('added', id));
  const runState = writeRunState(vcpu, state.mpState, state.events).map(({ error }) => ({
    ...about,
    what: error.request === 'KVM_SET_MP_STATE' ? ('MP state' as const) : ('events' as const),
    effect: 'refused' as const,
    name: error.request === 'KVM_SET_MP_STATE' ? `MP state ${state.mpState}` : 'pending SError',
    code: error.code,
  }));
  return [...refused, ...changed, ...added, ...runState];
}

function valuesOf(batch: RegisterBatch): ReadonlyMap<bigint, bigint> {
  return new Map(batch);
}

function registerFinding(
  effect: Effect,
  id: bigint,
  vcpu: number,
  { source, destination }: { readonly source: bigint | undefined; readonly destination: bigint | undefined },
  values: ReadonlyMap<bigint, bigint>,
  code: string | undefined,
): Finding {
  return {
    what: 'register',
    effect,
    name: formatRegister(id),
    id,
    vcpu,
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination }),
    fields: source === undefined || destination === undefined ? [] : differingFields(id, source, destination),
    ...(code !== undefined && { code }),
    guestNotices: isNoticed(effect, id, { source, destination }, values),
  };
}
