/**
 * Two states side by side.
 *
 * @packageDocumentation
 */
import { formatRegister } from '../abi/register-names.ts';
import { differingFields } from './finding.ts';
import { phaseOf } from './phases.ts';
import { settledValue } from './unused.ts';
import type { SavedState } from './vcpu-state.ts';

/** A register that is not the same in both. */
export interface StateDifference {
  readonly vcpu: number;
  readonly id: bigint;
  readonly name: string;
  /** Absent where the first has no such register, or no such vCPU. */
  readonly a?: bigint;
  readonly b?: bigint;
  readonly fields: readonly { readonly name: string; readonly a: bigint; readonly b: bigint }[];
}

/**
 * The registers in which two states differ, vCPU by vCPU; not the counters, which move by themselves.
 *
 * @example
 * ```ts
 * diffStates(before, after).map(({ name }) => name); // ['X0', 'PC']
 * ```
 */
export function diffStates(a: SavedState, b: SavedState): StateDifference[] {
  const ids = new Set([...a.vcpus, ...b.vcpus].map(({ id }) => id));
  return [...ids].flatMap(vcpu => {
    const [left, right] = [a, b].map(
      ({ vcpus }) => new Map(vcpus.find(({ id }) => id === vcpu)?.registers),
    ) as [Map<bigint, bigint>, Map<bigint, bigint>];
    return [...new Set([...left.keys(), ...right.keys()])]
      .filter(id => phaseOf(id) !== 'counters' && settled(left, id) !== settled(right, id))
      .map(id => difference(vcpu, id, left.get(id), right.get(id)));
  });
}

function settled(values: ReadonlyMap<bigint, bigint>, id: bigint): bigint | undefined {
  const value = values.get(id);
  return value === undefined ? undefined : settledValue(id, value);
}

function difference(vcpu: number, id: bigint, a: bigint | undefined, b: bigint | undefined): StateDifference {
  const fields = a === undefined || b === undefined ? [] : differingFields(id, a, b);
  return {
    vcpu,
    id,
    name: formatRegister(id),
    ...(a !== undefined && { a }),
    ...(b !== undefined && { b }),
    fields: fields.map(({ name, source, destination }) => ({ name, a: source, b: destination })),
  };
}
