/**
 * What a plan and a comparison say: one finding for each thing that is not the same on both sides.
 *
 * @packageDocumentation
 */

import { fieldValue, type RegisterField, registerFields } from '../abi/register-fields.ts';
import { decodeRegisterId } from '../abi/register-id.ts';
import { phaseOf } from './phases.ts';
import { isUnused, type Values } from './unused.ts';

/**
 * What happens to it on the destination:
 *
 * - `'lacked'`: the destination does not have it, and the restore fails;
 * - `'refused'`: it has it, but not with this value, and the restore fails;
 * - `'changed'`: the restore works, and afterwards the value is another;
 * - `'added'`: only the destination has it, and the guest finds it as it is there after a reset.
 */
export type Effect = 'lacked' | 'refused' | 'changed' | 'added';

/** A field whose value differs. */
export interface FieldDifference {
  /** Its name, or its bits, `[7:4]`. */
  readonly name: string;
  readonly source: bigint;
  readonly destination: bigint;
}

/** What would make a finding go away; every value was tried on a scratch VM of the hosts that were given. */
export interface Remedy {
  /**
   * Write `value` before the first run; leave the register out of the restore; initialise without the feature; or make the
   * VM with another device.
   */
  readonly action: 'write' | 'omit' | 'leave out' | 'make';
  /** On which side. */
  readonly on: 'source' | 'destination';
  /** Of a register: what to write. */
  readonly value?: bigint;
  /** In a sentence. */
  readonly text: string;
}

/** One thing that is not the same on both sides. */
export interface Finding {
  readonly what: 'architecture' | 'VM' | 'vcpu' | 'feature' | 'register' | 'GIC' | 'MP state' | 'events';
  readonly effect: Effect;
  /** The register or feature; of the GIC's, with the CPU: `'ICC_CTLR_EL1 of CPU 0'`. */
  readonly name: string;
  /** Of a vCPU's register. */
  readonly id?: bigint;
  /** The vCPU that it is about; absent of what holds for the VM. */
  readonly vcpu?: number;
  /** What the state has; of a register. */
  readonly source?: bigint;
  /** What the destination has; of a register. */
  readonly destination?: bigint;
  /** By field, where both have a value. */
  readonly fields: readonly FieldDifference[];
  /** The errno with which the kernel refuses, `'EINVAL'`. */
  readonly code?: string;
  /** Whether a guest can find out. */
  readonly guestNotices: boolean;
  readonly remedy?: Remedy;
}

/**
 * In one word, best first:
 *
 * - `'identical'`: nothing differs;
 * - `'superset'`: all is taken as it is, and the destination has more that the guest does not notice;
 * - `'compatible'`: it loads, and the guest may notice what changed or was added;
 * - `'incompatible'`: it does not load.
 */
export type Verdict = 'identical' | 'superset' | 'compatible' | 'incompatible';

/** Verdicts, best first. */
export const VERDICTS: readonly Verdict[] = ['identical', 'superset', 'compatible', 'incompatible'];

/** The verdict that findings lead to. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  if (findings.some(isBlocking)) return 'incompatible';
  if (findings.some(({ guestNotices }) => guestNotices)) return 'compatible';
  return findings.length > 0 ? 'superset' : 'identical';
}

/** Whether it makes a restore fail. */
export function isBlocking({ effect }: Finding): boolean {
  return effect === 'lacked' || effect === 'refused';
}

/** The fields in which two values of a register differ. */
export function differingFields(id: bigint, source: bigint, destination: bigint): FieldDifference[] {
  const phase = phaseOf(id);
  // Elsewhere a value is a number, and its digits are none that anyone knows.
  if (phase !== 'identification' && phase !== 'firmware') return [];
  return differing(registerFields(id), source, destination);
}

/** Those of some fields in which two values differ. */
export function differing(
  fields: readonly RegisterField[],
  source: bigint,
  destination: bigint,
): FieldDifference[] {
  return fields
    .map(field => ({
      name: field.name,
      source: fieldValue(field, source),
      destination: fieldValue(field, destination),
    }))
    .filter(field => field.source !== field.destination);
}

/**
 * Whether a guest can tell. What it cannot have used is not missed; and what the destination adds is noticed where it
 * describes the machine, as a guest that never used a register does not look.
 */
export function isNoticed(
  effect: Effect,
  id: bigint,
  {
    source,
    destination,
  }: { readonly source?: bigint | undefined; readonly destination?: bigint | undefined },
  values: Values,
): boolean {
  if (effect === 'refused') return true;
  if (effect !== 'added') return source === undefined || !isUnused(id, source, values);
  const { kind } = decodeRegisterId(id);
  const describes = kind.startsWith('firmware') || phaseOf(id) === 'identification';
  return describes && destination !== undefined && !isUnused(id, destination, values);
}
