/**
 * The fields GIC of ID_AA64PFR0_EL1 and ID_PFR1_EL1: whether a guest finds the system registers of a GICv3.
 *
 * @packageDocumentation
 */
import { sysRegId } from '../abi/register-id.ts';
import { cellsOf } from './registers/register-access.ts';
import type { VcpuState, VmState } from './state.ts';

/** Each register, and where in it the field's 4 bits begin. */
const FIELDS: readonly (readonly [id: bigint, shift: bigint])[] = [
  [sysRegId(3, 0, 0, 4, 0), 24n],
  [sysRegId(3, 0, 0, 1, 1), 28n],
];

/** The first run of a VM without a GICv3 takes them away (`kvm_finalize_sys_regs`, arch/arm64/kvm/sys_regs.c). */
export function clearGicFields(vcpu: VcpuState): void {
  for (const [id, shift] of FIELDS) {
    const { cell, scope } = vcpu.configuration!.registers.get(id)!;
    const cells = cellsOf(vcpu, scope);
    cells[cell] = cells[cell]! & ~(0xfn << shift);
  }
}

/** A GICv3 was made: they are as the host has them again, if its kernel sees to that. */
export function setGicFields({ configuration, cells, host, gic }: VmState): void {
  if (configuration === undefined || gic?.model !== 3 || !host.profile.gics?.setsIdRegisters) return;
  for (const [id, shift] of FIELDS) {
    const { cell } = configuration.registers.get(id)!;
    const mask = 0xfn << shift;
    cells[cell] = (cells[cell]! & ~mask) | (configuration.vmResets[cell]! & mask);
  }
}
