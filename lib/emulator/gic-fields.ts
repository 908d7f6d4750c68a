/**
 * The fields GIC of ID_AA64PFR0_EL1 and ID_PFR1_EL1: whether a guest finds the system registers of a GICv3. Newer kernels
 * have them say what the VM has (`kvm_finalize_sys_regs`, arch/arm64/kvm/sys_regs.c).
 *
 * @packageDocumentation
 */
import { sysRegId } from '../abi/register-id.ts';
import type { VmState } from './state.ts';

/** Each register, and where in it the field's 4 bits begin. */
const FIELDS: readonly (readonly [id: bigint, shift: bigint])[] = [
  [sysRegId(3, 0, 0, 4, 0), 24n],
  [sysRegId(3, 0, 0, 1, 1), 28n],
];

/** Sets the fields of a VM whose vCPUs are initialised, if its kernel does so now. */
export function showGic(vm: VmState, when: 'run' | 'creation'): void {
  const rule = vm.host.profile.gics?.idRegisters ?? 'fixed';
  const { configuration } = vm;
  if (configuration === undefined || rule === 'fixed' || (rule === 'run' && when === 'creation')) return;
  for (const [id, shift] of FIELDS) {
    const access = configuration.registers.get(id);
    if (access?.scope !== 'vm') continue;
    const { cell } = access;
    const mask = 0xfn << shift;
    if (vm.gic?.model !== 3) vm.cells[cell]! &= ~mask;
    else if (rule === 'creation')
      vm.cells[cell] = (vm.cells[cell]! & ~mask) | (configuration.vmResets[cell]! & mask);
  }
}
