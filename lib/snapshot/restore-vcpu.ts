/**
 * Puts a saved state into a vCPU: planned first, and undone where it fails nevertheless.
 *
 * @packageDocumentation
 */
import { invalidValue } from '../abi/argument.ts';
import { formatRegister } from '../abi/register-names.ts';
import { KvmError } from '../errors.ts';
import { toRegisterId } from '../register-batch.ts';
import type { Vcpu } from '../vcpu.ts';
import { checkPlanOptions, checkVcpu, checkVcpuState } from './arguments.ts';
import { isBlocking } from './finding.ts';
import { phaseOf } from './phases.ts';
import { planRestore, type RestoreOptions, type RestorePlan } from './plan-restore.ts';
import { describeFinding } from './text.ts';
import { saveVcpu, type VcpuState } from './vcpu-state.ts';
import { byPhase, prepareVcpu, type Refusal, writePhases, writeRunState } from './write-state.ts';

/** A restore that did not happen. */
export class RestoreError extends KvmError {
  /** What was known beforehand. */
  readonly plan: RestorePlan;
  /** Where a write failed nevertheless: phase, and the value of `register`. */
  readonly refusal: Refusal | undefined;

  /** @internal */
  constructor(code: string, message: string, plan: RestorePlan, refusal?: Refusal, hint?: string) {
    const cause = refusal?.error;
    super(code, message, {
      errno: cause?.errno,
      syscall: cause && 'ioctl',
      request: cause?.request,
      register: cause?.register,
      hint,
      cause,
    });
    this.plan = plan;
    this.refusal = refusal;
  }
}

/**
 * Restores a vCPU. What the plan says will fail is not begun; registers that the destination would change are written all
 * the same, and stand in the plan that is returned.
 *
 * @param vcpu - one with the id that was saved, initialised or not; it is initialised with the features of the state
 * @returns the plan, as {@link planRestore} gives it
 * @throws RestoreError `ERR_WILL_NOT_LOAD`, with nothing touched: see its `plan`; or with an errno where a write fails that
 * the plan saw succeed, because this VM is not a new one: see its `refusal`. The vCPU is then as it was before; one that
 * was not initialised is as after its first init.
 * @example
 * ```ts
 * const state = saveVcpu(vcpu);
 * const other = Kvm.open().createVm().createVcpu(0);
 * restoreVcpu(other, state).verdict; // 'identical'
 * ```
 */
export function restoreVcpu(vcpu: Vcpu, state: VcpuState, options: RestoreOptions = {}): RestorePlan {
  checkVcpu('vcpu', vcpu);
  checkVcpuState('state', state);
  checkPlanOptions(options);
  if (vcpu.id !== state.id) throw invalidValue('vcpu', `the one with id ${state.id}, as saved`, vcpu.id);
  const omitted = new Set(Array.from(options.omit ?? [], toRegisterId));
  const plan = planRestore(state, vcpu.vm.kvm, { omit: omitted });
  loadVcpu(vcpu, state, plan, omitted);
  return plan;
}

/** Does what was planned. */
function loadVcpu(vcpu: Vcpu, state: VcpuState, plan: RestorePlan, omitted: ReadonlySet<bigint>): void {
  checkLoads(plan);
  const phases = byPhase([...state.registers].filter(([id]) => !omitted.has(id)));
  let before = presentState(vcpu);
  const refusals = prepareVcpu(vcpu, state.featureBits, phases);
  if (refusals[0]?.phase === 'init') throw failed(plan, refusals[0], AS_IT_WAS);
  before ??= saveVcpu(vcpu);
  if (refusals.length === 0) refusals.push(...writePhases(vcpu, phases, false));
  if (refusals.length === 0) refusals.push(...writeRunState(vcpu, state.mpState, state.events));
  const [refusal] = refusals;
  if (refusal === undefined) return;
  const left = putBack(vcpu, before);
  throw failed(plan, refusal, left === 0 ? AS_IT_WAS : `${AS_IT_WAS} but for ${left} registers`);
}

/** What the vCPU is now; undefined for one that is not ready to be asked. */
function presentState(vcpu: Vcpu): VcpuState | undefined {
  if (vcpu.initializedWith === undefined) return undefined;
  try {
    return saveVcpu(vcpu);
  } catch (error) {
    if (error instanceof KvmError && error.code === 'EPERM') return undefined; // SVE is not finalized
    throw error;
  }
}

/** Answers how many registers could not be put back. */
function putBack(vcpu: Vcpu, { registers, mpState, events }: VcpuState): number {
  const entries = [...registers].filter(([id]) => phaseOf(id) !== 'vector lengths');
  return writePhases(vcpu, byPhase(entries), true).length + writeRunState(vcpu, mpState, events).length;
}

/** @throws RestoreError where the plan says that it will fail */
export function checkLoads(plan: RestorePlan): void {
  if (plan.loads) return;
  const blocking = plan.findings.filter(isBlocking);
  const more = blocking.length > 1 ? `, and ${blocking.length - 1} more` : '';
  const message = `ERR_WILL_NOT_LOAD: the state does not load on ${plan.host}: ${describeFinding(blocking[0]!)}${more}`;
  throw new RestoreError(
    'ERR_WILL_NOT_LOAD',
    message,
    plan,
    undefined,
    blocking.find(({ remedy }) => remedy !== undefined)?.remedy?.text,
  );
}

const AS_IT_WAS = 'The vCPU is as it was';

/** @param after - what became of what was there, in a sentence */
export function failed(plan: RestorePlan, refusal: Refusal, after: string): RestoreError {
  const { phase, error } = refusal;
  const message = `${error.code} in the phase '${phase}'${whatOf(refusal)}: ${error.message}. ${after}`;
  return new RestoreError(error.code, message, plan, refusal);
}

function whatOf({ register, device }: Refusal): string {
  if (register !== undefined) return ` of ${formatRegister(register.id)} = 0x${register.value.toString(16)}`;
  if (device === undefined) return '';
  const value = device.entry === undefined ? '' : ` = 0x${device.entry.value.toString(16)}`;
  return ` of ${device.name}${value}`;
}
