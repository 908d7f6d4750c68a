/**
 * A finding in a sentence.
 *
 * @packageDocumentation
 */

import { invalidType } from '../abi/argument.ts';
import { formatPsciVersion } from '../abi/psci.ts';
import type { Effect, Finding } from './finding.ts';
import { isPsci } from './remedies.ts';

/** What the destination does. */
const VERBS: Readonly<Record<Effect, string>> = {
  lacked: 'the destination has none',
  refused: 'the destination refuses it',
  changed: 'the destination changes it',
  added: 'only the destination has it',
};

/**
 * Says what a finding found.
 *
 * @example
 * ```ts
 * // 'ID_AA64MMFR0_EL1: the destination refuses it (EINVAL): PARANGE 6 there 5'
 * describeFinding(finding);
 * ```
 */
export function describeFinding(finding: Finding): string {
  if (!Object.hasOwn(VERBS, finding?.effect ?? ''))
    throw invalidType('finding', 'a finding of a plan or a comparison', finding);
  const { name, effect, code } = finding;
  const values = describeValues(finding);
  const errno = code === undefined ? '' : ` (${code})`;
  return `${name}: ${VERBS[effect]}${errno}${values === '' ? '' : `: ${values}`}`;
}

/** The values of both sides, by field where that says more. */
export function describeValues({ id, source, destination, fields }: Finding): string {
  const isVersion = id !== undefined && isPsci(id);
  const show = (value: bigint) => (isVersion ? formatPsciVersion(value) : `0x${value.toString(16)}`);
  if (source === undefined || destination === undefined) {
    const present = source ?? destination;
    return present === undefined ? '' : show(present);
  }
  if (isVersion || fields.length === 0) {
    return source === destination ? show(source) : `${show(source)}, there ${show(destination)}`;
  }
  return fields
    .map(field => `${field.name} ${field.source.toString(16)}, there ${field.destination.toString(16)}`)
    .join('; ');
}
