/**
 * What the package's three entries have in common: all but the way to open a Kvm.
 *
 * @packageDocumentation
 */
export { type Capability, KVM_CAP } from './abi/capabilities.ts';
export type * from './abi/exits.ts';
export {
  KVM_EXIT,
  KVM_SYSTEM_EVENT,
  KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2,
  KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2,
} from './abi/exits.ts';
export { KVM_IOCTL } from './abi/ioctls.ts';
export { KVM_MP_STATE, type MpState } from './abi/mp-state.ts';
export { formatPsciVersion, type PsciVersion, parsePsciVersion } from './abi/psci.ts';
export {
  type Architecture,
  decodeRegisterId,
  encodeRegisterId,
  type RegisterId,
  registerBits,
} from './abi/register-id.ts';
export { formatRegister, parseRegister } from './abi/register-names.ts';
export type { VcpuEvents, VcpuInit } from './abi/structs.ts';
export { KVM_ARM_TARGET, KVM_ARM_VCPU, VcpuFeature } from './abi/vcpu-features.ts';
export type { BackendName } from './backend.ts';
export { KvmError, type KvmErrorDetails, type RegisterName } from './errors.ts';
export type { VmOptions } from './kvm.ts';
export { dirtyPages, GuestMemory, type MemoryOptions } from './memory.ts';
export { type Register, RegisterBatch } from './register-batch.ts';
export { type RunOptions, Vcpu, type VcpuInitOptions } from './vcpu.ts';
export { Vm } from './vm.ts';
