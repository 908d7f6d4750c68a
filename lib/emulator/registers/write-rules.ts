/**
 * Registers that are storage with a rule for what a write does to it: all but the few in `special-registers.ts`.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import type { WriteRule } from '../profile.ts';
import type { RegisterAccess, Storage, VcpuState } from '../state.ts';
import { cellsOf } from './register-access.ts';

/** What a register of this rule holds after `value` is written over `present`; undefined where that is refused. */
type Write = (value: bigint, present: bigint) => bigint | undefined;

/** A register that is a cell, with the rule that was recorded for it. */
export function plainRegister({
  cell,
  scope,
  write,
}: Storage & { readonly write?: WriteRule }): RegisterAccess {
  const effect = write === undefined ? undefined : writeOf(write);
  const get = scope === 'vm' ? sharedValue(cell, write) : (vcpu: VcpuState) => vcpu.cells[cell]!;
  return {
    cell,
    scope,
    get,
    set(vcpu, value) {
      const result = effect === undefined ? value : effect(value, get(vcpu));
      if (result === undefined) return -ERRNO.EINVAL;
      cellsOf(vcpu, scope)[cell] = result;
      return 0;
    },
  };
}

/** Of an ID register the VM has the fields that can be set: the others follow from each vCPU's own features. */
function sharedValue(cell: number, write: WriteRule | undefined): (vcpu: VcpuState) => bigint {
  if (typeof write !== 'object' || !('digits' in write)) return vcpu => vcpu.vm.cells[cell]!;
  const shared = writableDigits(write.digits);
  return ({ vm, configuration }) => (vm.cells[cell]! & shared) | (configuration!.vmResets[cell]! & ~shared);
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

/** The bits of the digits that a write can change. */
function writableDigits(digits: Readonly<Record<string, string>>): bigint {
  return Object.keys(digits).reduce((mask, position) => mask | (0xfn << (BigInt(position) * 4n)), 0n);
}

function digitwise(digits: Readonly<Record<string, string>>): Write {
  const tables = Object.entries(digits).map(([position, stored]) => ({
    shift: BigInt(position) * 4n,
    stored,
  }));
  const writable = writableDigits(digits);
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
