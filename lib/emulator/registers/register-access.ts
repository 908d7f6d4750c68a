/**
 * How the access of a register is made, and what of the vCPU it may look at.
 *
 * @packageDocumentation
 */
import type { HostProfile } from '../profile.ts';
import type { RegisterAccess, Storage, VcpuState, VmState } from '../state.ts';

/** What a register with rules of its own is made from. */
export interface SpecialContext extends Storage {
  readonly profile: Pick<HostProfile, 'behaviours' | 'psci'>;
}

/** Makes the access of a special register; undefined where on this host it is as any other. */
export type SpecialRegister = (context: SpecialContext) => RegisterAccess | undefined;

/** The cells of the vCPU, or of its VM. */
export function cellsOf(vcpu: VcpuState, scope: Storage['scope']): bigint[] {
  return scope === 'vm' ? vcpu.vm.cells : vcpu.cells;
}

/** Whether a feature bit (`KVM_ARM_VCPU_*`) is set, for the VM or for the vCPU: a host knows one of the two. */
export function hasFeature({ vm, features }: VcpuState, bit: number): boolean {
  return (((vm.features | features) >> bit) & 1) === 1;
}

/** Whether a vCPU of the VM was ready to be entered once (`kvm_vm_has_ran_once`), though it may not have been. */
export function hasRun({ vcpus }: VmState): boolean {
  for (const vcpu of vcpus.values()) if (vcpu.hasRun) return true;
  return false;
}

/** A hex digit of an ID register, 0 the lowest, as userspace has left it; 0 where the vCPU has no such register. */
export function idDigit(vcpu: VcpuState, id: bigint, digit: number): number {
  const access = vcpu.configuration!.registers.get(id);
  if (access === undefined) return 0;
  return Number(((access.get(vcpu) as bigint) >> (4n * BigInt(digit))) & 0xfn);
}
