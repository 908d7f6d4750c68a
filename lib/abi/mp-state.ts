/**
 * Multiprocessing states of a vCPU (`KVM_MP_STATE_*`, linux/kvm.h) that arm64 has.
 *
 * @packageDocumentation
 */
import { checkUnsigned, invalidType, invalidValue } from './argument.ts';

/** States by kernel name. */
export const KVM_MP_STATE = {
  /** It runs when KVM_RUN is called. */
  KVM_MP_STATE_RUNNABLE: 0,
  /** Powered off, as after PSCI CPU_OFF or an init with POWER_OFF. */
  KVM_MP_STATE_STOPPED: 5,
  /** Waiting for a wake-up event (Linux 5.19+). */
  KVM_MP_STATE_SUSPENDED: 10,
} as const;

type Short<Name> = Name extends `KVM_MP_STATE_${infer Rest}` ? Rest : never;

/** A state's name without `KVM_MP_STATE_`. */
export type MpState = Short<keyof typeof KVM_MP_STATE>;

/** The number of a state, given by name or number. */
export function mpStateNumber(state: MpState | number): number {
  if (typeof state === 'number') {
    checkUnsigned('state', state, 0xffff_ffff);
    return state;
  }
  if (typeof state !== 'string') throw invalidType('state', 'a name of KVM_MP_STATE_* or a number', state);
  const number = KVM_MP_STATE[`KVM_MP_STATE_${state}`] as number | undefined;
  if (number === undefined) throw invalidValue('state', 'RUNNABLE, STOPPED, SUSPENDED or a number', state);
  return number;
}

/** The name of a state, or the number itself where it has none on arm64. */
export function mpStateName(number: number): MpState | number {
  const name = Object.entries(KVM_MP_STATE).find(([, value]) => value === number)?.[0];
  return name === undefined ? number : (name.slice('KVM_MP_STATE_'.length) as MpState);
}
