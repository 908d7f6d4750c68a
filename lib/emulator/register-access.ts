/**
 * How a register is read and written.
 *
 * @packageDocumentation
 */
import type { Result } from '../backend.ts';
import type { HostProfile } from './profile.ts';
import type { VcpuState } from './state.ts';

/** Where a register's value lies. */
export interface Storage {
  readonly cell: number;
  readonly scope: 'vcpu' | 'vm';
}

/** Both directions of KVM_{GET,SET}_ONE_REG for a register that a vCPU has. */
export interface RegisterAccess extends Storage {
  get(vcpu: VcpuState): bigint;
  /** @param value - of the register's width */
  set(vcpu: VcpuState, value: bigint): Result;
  /** The value after init, where it depends on the vCPU. */
  reset?(vcpu: VcpuState): bigint;
}

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
