/**
 * How the access of a register is made.
 *
 * @packageDocumentation
 */
import type { HostProfile } from './profile.ts';
import type { RegisterAccess, Storage, VcpuState } from './state.ts';

/** What a register with rules of its own is made from. */
export interface SpecialContext extends Storage {
  readonly profile: HostProfile;
}

/** Makes the access of a special register. */
export type SpecialRegister = (context: SpecialContext) => RegisterAccess;

/** The cells of the vCPU, or of its VM. */
export function cellsOf(vcpu: VcpuState, scope: Storage['scope']): bigint[] {
  return scope === 'vm' ? vcpu.vm.cells : vcpu.cells;
}
