/**
 * Registers that are storage with a rule for what a write does to it: all but the few in `special-registers.ts`.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import type { WriteRule } from './profile.ts';
import { cellsOf } from './register-access.ts';
import type { RegisterAccess, Storage } from './state.ts';

/** What a register of this rule holds after `value` is written over `present`; undefined where that is refused. */
type Write = (value: bigint, present: bigint) => bigint | undefined;

/** A register that is a cell, with the rule that was recorded for it. */
export function plainRegister({
  cell,
  scope,
  write,
}: Storage & { readonly write?: WriteRule }): RegisterAccess {
  const effect = write === undefined ? undefined : writeOf(write);
  return {
    cell,
    scope,
    get: vcpu => cellsOf(vcpu, scope)[cell]!,
    set(vcpu, value) {
      const cells = cellsOf(vcpu, scope);
      const result = effect === undefined ? value : effect(value, cells[cell]!);
      if (result === undefined) return -ERRNO.EINVAL;
      cells[cell] = result;
      return 0;
    },
  };
}

function writeOf(rule: WriteRule): Write {
  if (rule === 'fixed') return (value, present) => (value === present ? present : undefined);
  if (rule === 'ignored') return (_, present) => present;
  if ('stored' in rule) {
    const mask = BigInt(`0x${rule.stored}`);
    return (value, present) => (value & mask) | (present & ~mask);
  }
  return digitwise(rule.digits);
}

function digitwise(digits: Readonly<Record<string, string>>): Write {
  const tables = Object.entries(digits).map(([position, stored]) => ({
    shift: BigInt(position) * 4n,
    stored,
  }));
  const writable = tables.reduce((mask, { shift }) => mask | (0xfn << shift), 0n);
  return (value, present) => {
    if ((value & ~writable) !== (present & ~writable)) return undefined;
    let result = present & ~writable;
    for (const { shift, stored } of tables) {
      const digit = stored[Number((value >> shift) & 0xfn)];
      if (digit === undefined || digit === '.') return undefined;
      result |= BigInt(`0x${digit}`) << shift;
    }
    return result;
  };
}
