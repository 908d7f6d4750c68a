/**
 * What the functions of `kvm-arm64/state` are given: a value of another kind is named, before anything is done with it.
 *
 * @packageDocumentation
 */
import { checkIterable, checkObject, invalidType } from '../abi/argument.ts';
import { Kvm } from '../kvm.ts';
import { RegisterBatch } from '../register-batch.ts';
import { Vcpu } from '../vcpu.ts';
import { Vm } from '../vm.ts';
import type { PlanOptions } from './plan-restore.ts';
import type { SavedState, VcpuState } from './vcpu-state.ts';

export function checkKvm(name: string, value: Kvm): void {
  if (!(value instanceof Kvm)) throw invalidType(name, 'a Kvm, as Kvm.open() gives it', value);
}

export function checkVm(name: string, value: Vm): void {
  if (!(value instanceof Vm)) throw invalidType(name, 'a Vm, as kvm.createVm() gives it', value);
}

export function checkVcpu(name: string, value: Vcpu): void {
  if (!(value instanceof Vcpu)) throw invalidType(name, 'a Vcpu, as vm.createVcpu() gives it', value);
}

export function checkVcpuState(name: string, value: VcpuState): void {
  if (!isVcpuState(value)) throw invalidType(name, 'the state of a vCPU, as saveVcpu() gives it', value);
}

export function checkSavedState(name: string, value: SavedState): void {
  if (!isSavedState(value))
    throw invalidType(name, 'a state as saveVm(), saveVcpus() or decodeState() give it', value);
}

export function checkAnyState(name: string, value: VcpuState | SavedState): void {
  if (!isVcpuState(value) && !isSavedState(value))
    throw invalidType(name, 'a state as saveVcpu(), saveVm() or decodeState() give it', value);
}

/** Of a restore or its plan. A baseline will do, so that there may be more in it. */
export function checkPlanOptions(options: PlanOptions): void {
  checkObject('options', options);
  const { omit, source } = options;
  if (omit !== undefined) checkIterable('omit', omit);
  if (source !== undefined) checkKvm('source', source);
}

function isVcpuState(value: object): value is VcpuState {
  return isObject(value) && 'registers' in value && value.registers instanceof RegisterBatch;
}

function isSavedState(value: object): value is SavedState {
  if (!isObject(value) || !('vcpus' in value) || !('provenance' in value)) return false;
  return isObject(value.provenance) && Array.isArray(value.vcpus) && value.vcpus.every(isVcpuState);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
