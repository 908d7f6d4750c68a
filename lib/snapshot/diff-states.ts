/**
 * Two states side by side.
 *
 * @packageDocumentation
 */
import { findGicRegister, gicRegisterFields } from '../abi/gic-registers.ts';
import { formatRegister } from '../abi/register-names.ts';
import { checkSavedState } from './arguments.ts';
import { differing, differingFields, type FieldDifference } from './finding.ts';
import { type GicState, gicRegisterName } from './gic-state.ts';
import { phaseOf } from './phases.ts';
import { settledValue } from './unused.ts';
import type { SavedState } from './vcpu-state.ts';

/** A register that is not the same in both. */
export interface StateDifference {
  /** Absent of the interrupt controller. */
  readonly vcpu?: number;
  readonly id?: bigint;
  /** Of the interrupt controller's, with the CPU. */
  readonly name: string;
  /** Absent where the first has no such register, or no such vCPU. */
  readonly a?: bigint;
  readonly b?: bigint;
  readonly fields: readonly { readonly name: string; readonly a: bigint; readonly b: bigint }[];
}

/**
 * The registers in which two states differ, vCPU by vCPU, and then those of the interrupt controller; not the counters,
 * which move by themselves.
 *
 * @example
 * ```ts
 * diffStates(before, after).map(({ name }) => name); // ['X0', 'PC']
 * ```
 */
export function diffStates(a: SavedState, b: SavedState): StateDifference[] {
  checkSavedState('a', a);
  checkSavedState('b', b);
  const ids = new Set([...a.vcpus, ...b.vcpus].map(({ id }) => id));
  const ofVcpus = [...ids].flatMap(vcpu => {
    const [left, right] = [a, b].map(
      ({ vcpus }) => new Map(vcpus.find(({ id }) => id === vcpu)?.registers),
    ) as [Map<bigint, bigint>, Map<bigint, bigint>];
    return [...new Set([...left.keys(), ...right.keys()])]
      .filter(id => phaseOf(id) !== 'counters' && settled(left, id) !== settled(right, id))
      .map(id => difference(vcpu, id, left.get(id), right.get(id)));
  });
  return [...ofVcpus, ...diffGics(a.gic, b.gic)];
}

function diffGics(a: GicState | undefined, b: GicState | undefined): StateDifference[] {
  const [left, right] = [a, b].map(valuesOf) as [Map<string, GicNamed>, Map<string, GicNamed>];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap(name => {
    const [mine, other] = [left.get(name), right.get(name)];
    if (mine?.value === other?.value) return [];
    return [
      {
        name,
        ...(mine && { a: mine.value }),
        ...(other && { b: other.value }),
        fields:
          mine === undefined || other === undefined
            ? []
            : sides(differing(gicRegisterFields(mine.register), mine.value, other.value)),
      },
    ];
  });
}

interface GicNamed {
  readonly value: bigint;
  /** Without the CPU. */
  readonly register: string;
}

/** Registers by name, and what else is a number. */
function valuesOf(gic: GicState | undefined): Map<string, GicNamed> {
  if (gic === undefined) return new Map();
  const { version } = gic.placement;
  const facts = { 'version of the GIC': version, 'interrupts of the GIC': gic.irqs ?? 0 };
  return new Map([
    ...Object.entries(facts).map(
      ([name, value]) => [name, { value: BigInt(value), register: name }] as const,
    ),
    ...gic.registers.map(({ group, attr, value }) => {
      const { name, cpu } = findGicRegister(version, group, attr)!;
      return [gicRegisterName(name, cpu), { value, register: name }] as const;
    }),
  ]);
}

function sides(fields: readonly FieldDifference[]): StateDifference['fields'] {
  return fields.map(({ name, source, destination }) => ({ name, a: source, b: destination }));
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
    fields: sides(fields),
  };
}
