/**
 * What the package's three entries have in common: all but the way to open a Kvm.
 *
 * @packageDocumentation
 */
export { type Capability, KVM_CAP } from './abi/capabilities.ts';
export {
  type DeviceType,
  KVM_ARM_VCPU_CTRL,
  KVM_ARM_VCPU_PMU_V3,
  KVM_ARM_VCPU_TIMER,
  KVM_DEV_ARM_VGIC_CTRL,
  KVM_DEV_ARM_VGIC_GRP,
  KVM_DEV_TYPE,
  KVM_VGIC_ADDR_TYPE,
  type PmuEventRange,
} from './abi/device-attributes.ts';
export type * from './abi/exits.ts';
export {
  KVM_EXIT,
  KVM_SYSTEM_EVENT,
  KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2,
  KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2,
} from './abi/exits.ts';
export type { WatchAccess } from './abi/guest-debug.ts';
export type { GsiRoute, Msi } from './abi/interrupts.ts';
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
export type { SmcccAction, SmcccRange } from './abi/smccc-filter.ts';
export type { VcpuEvents, VcpuInit } from './abi/structs.ts';
export { KVM_ARM_TARGET, KVM_ARM_VCPU, VcpuFeature } from './abi/vcpu-features.ts';
export type { BackendName } from './backend.ts';
export { Device } from './device.ts';
export { KvmError, type KvmErrorDetails, type RegisterName } from './errors.ts';
export { EventFd } from './event-fd.ts';
export { Gic, type GicOptions, type GicPlacement, type GicRedistributors } from './gic.ts';
export type { GuestDebugOptions, Watchpoint } from './guest-debug.ts';
export type { IoEvent, IrqFdOptions, IrqLine } from './interrupts.ts';
export type { VmOptions } from './kvm.ts';
export { dirtyPages, GuestMemory, type MemoryOptions } from './memory.ts';
export { type Register, RegisterBatch } from './register-batch.ts';
export { Vcpu, type VcpuInitOptions } from './vcpu.ts';
export type { PmuOptions, TimerIrqs } from './vcpu-attributes.ts';
export type { RunOptions } from './vcpu-run.ts';
export { type EnabledCapability, Vm } from './vm.ts';
