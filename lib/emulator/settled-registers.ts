/**
 * Registers that nobody changes once a vCPU of the VM has run (`kvm_vm_has_ran_once`, arch/arm64/include/asm/kvm_host.h).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { decodeRegisterId, sysRegId } from '../abi/register-id.ts';
import type { Result } from '../backend.ts';
import type { RegisterAccess, VcpuState } from './state.ts';

/** ID registers proper, CRm 1 to 7: those that `set_id_reg` writes (arch/arm64/kvm/sys_regs.c). */
const FIRST_ID_REGISTER = sysRegId(3, 0, 0, 1, 0);
const LAST_ID_REGISTER = sysRegId(3, 0, 0, 7, 7);
const CTR_EL0 = sysRegId(3, 3, 0, 0, 1);

/** KVM_SET_ONE_REG of such a register; undefined for any other, and before the VM has run. */
export function setSettled(
  vcpu: VcpuState,
  id: bigint,
  access: RegisterAccess,
  value: bigint,
): Result | undefined {
  if (vcpu.vm.machine === undefined) return undefined;
  const isId = (id >= FIRST_ID_REGISTER && id <= LAST_ID_REGISTER) || id === CTR_EL0;
  // Where they are not the VM's, no value but their own is taken at any time.
  if (isId && !vcpu.vm.host.profile.behaviours.featuresPerVcpu)
    return access.get(vcpu) === value ? 0 : -ERRNO.EBUSY;
  if (decodeRegisterId(id).kind !== 'firmware-bitmap') return undefined;
  // `kvm_arm_set_fw_reg_bmap`, hypercalls.c: a value that would not do is EINVAL even now.
  const before = access.get(vcpu);
  const result = access.set(vcpu, value);
  if (result !== 0 || typeof before === 'number' || before === value) return result;
  access.set(vcpu, before);
  return -ERRNO.EBUSY;
}
