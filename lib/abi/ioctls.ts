/**
 * The ioctl requests of KVM that an arm64 VMM issues (`linux/kvm.h`, sizes as on arm64).
 *
 * A request number encodes direction, argument size, the KVM type 0xAE and a sequence number
 * (`asm-generic/ioctl.h`). Structs that differ between architectures make the number differ, too:
 * these are the arm64 ones.
 *
 * @packageDocumentation
 */

/** The answer to KVM_GET_API_VERSION of every kernel since 2.6.22; what was before it was not stable. */
export const KVM_API_VERSION = 12;

/** Request numbers by kernel name. */
export const KVM_IOCTL = {
  KVM_GET_API_VERSION: 0xae00,
  KVM_CREATE_VM: 0xae01,
  KVM_CHECK_EXTENSION: 0xae03,
  KVM_GET_VCPU_MMAP_SIZE: 0xae04,
  KVM_CREATE_VCPU: 0xae41,
  KVM_GET_DIRTY_LOG: 0x4010ae42,
  KVM_SET_USER_MEMORY_REGION: 0x4020ae46,
  KVM_SET_USER_MEMORY_REGION2: 0x40a0ae49,
  KVM_CREATE_IRQCHIP: 0xae60,
  KVM_IRQ_LINE: 0x4008ae61,
  KVM_IRQ_LINE_STATUS: 0xc008ae67,
  KVM_REGISTER_COALESCED_MMIO: 0x4010ae67,
  KVM_UNREGISTER_COALESCED_MMIO: 0x4010ae68,
  KVM_SET_GSI_ROUTING: 0x4008ae6a,
  KVM_IRQFD: 0x4020ae76,
  KVM_IOEVENTFD: 0x4040ae79,
  KVM_RUN: 0xae80,
  KVM_GET_REGS: 0x8360ae81,
  KVM_SET_REGS: 0x4360ae82,
  KVM_SET_SIGNAL_MASK: 0x4004ae8b,
  KVM_GET_MP_STATE: 0x8004ae98,
  KVM_SET_MP_STATE: 0x4004ae99,
  KVM_SET_GUEST_DEBUG: 0x4208ae9b,
  KVM_GET_VCPU_EVENTS: 0x8040ae9f,
  KVM_SET_VCPU_EVENTS: 0x4040aea0,
  KVM_ENABLE_CAP: 0x4068aea3,
  KVM_SIGNAL_MSI: 0x4020aea5,
  KVM_ARM_SET_DEVICE_ADDR: 0x4010aeab,
  KVM_GET_ONE_REG: 0x4010aeab,
  KVM_SET_ONE_REG: 0x4010aeac,
  KVM_ARM_VCPU_INIT: 0x4020aeae,
  KVM_ARM_PREFERRED_TARGET: 0x8020aeaf,
  KVM_GET_REG_LIST: 0xc008aeb0,
  KVM_ARM_MTE_COPY_TAGS: 0x8030aeb4,
  KVM_ARM_SET_COUNTER_OFFSET: 0x4010aeb5,
  KVM_ARM_GET_REG_WRITABLE_MASKS: 0x8040aeb6,
  KVM_CLEAR_DIRTY_LOG: 0xc018aec0,
  KVM_ARM_VCPU_FINALIZE: 0x4004aec2,
  KVM_RESET_DIRTY_RINGS: 0xaec7,
  KVM_GET_STATS_FD: 0xaece,
  KVM_SET_MEMORY_ATTRIBUTES: 0x4020aed2,
  KVM_CREATE_GUEST_MEMFD: 0xc040aed4,
  KVM_PRE_FAULT_MEMORY: 0xc040aed5,
  KVM_CREATE_DEVICE: 0xc00caee0,
  KVM_SET_DEVICE_ATTR: 0x4018aee1,
  KVM_GET_DEVICE_ATTR: 0x4018aee2,
  KVM_HAS_DEVICE_ATTR: 0x4018aee3,
} as const;

/** The kernel's name of a request that this library knows. */
export type IoctlName = keyof typeof KVM_IOCTL;

/** Type byte of every KVM request (`KVMIO`). */
export const KVMIO = 0xae;

/** Whether a request's argument points to a struct, which the kernel reads or writes; else it is a plain integer. */
export function ioctlHasStruct(request: number): boolean {
  return request >>> 30 !== 0;
}

/** Bytes of the struct that a request's argument points to. */
export function ioctlSize(request: number): number {
  return (request >>> 16) & 0x3fff;
}

/** What kind of descriptor a request goes to. */
export type FdKind = 'system' | 'vm' | 'vcpu' | 'device';

/**
 * The requests that the escape hatch `ioctl(request, argument)` may not take, with what to use instead. Their
 * structs hold pointers or end in arrays of the caller's length, they return a descriptor that somebody must own,
 * or they block: the hatch passes one flat struct and returns a number.
 *
 * Look a request up by its {@link ioctlName}, not by its number: `KVM_ARM_SET_DEVICE_ADDR`, which is harmless,
 * has the number of `KVM_GET_ONE_REG`.
 */
export const HATCH_REFUSES: { readonly [Name in IoctlName]?: string } = {
  KVM_CREATE_VM: 'kvm.createVm()',
  KVM_CREATE_VCPU: 'vm.createVcpu()',
  KVM_CREATE_DEVICE: 'vm.createDevice()',
  KVM_CREATE_GUEST_MEMFD: 'a method of a later release',
  KVM_GET_STATS_FD: 'a method of a later release',
  KVM_GET_ONE_REG: 'vcpu.getOneReg()',
  KVM_SET_ONE_REG: 'vcpu.setOneReg()',
  KVM_GET_REG_LIST: 'vcpu.getRegList()',
  KVM_HAS_DEVICE_ATTR: 'hasDeviceAttr()',
  KVM_GET_DEVICE_ATTR: 'getDeviceAttr()',
  KVM_SET_DEVICE_ATTR: 'setDeviceAttr()',
  KVM_ARM_GET_REG_WRITABLE_MASKS: 'vm.getRegWritableMasks()',
  KVM_ARM_MTE_COPY_TAGS: 'a method of a later release',
  KVM_SET_USER_MEMORY_REGION: 'vm.addMemory()',
  KVM_SET_USER_MEMORY_REGION2: 'vm.addMemory()',
  KVM_GET_DIRTY_LOG: 'memory.getDirtyLog()',
  KVM_CLEAR_DIRTY_LOG: 'memory.clearDirtyLog()',
  KVM_SET_GSI_ROUTING: 'vm.setGsiRouting()',
  KVM_SET_SIGNAL_MASK: 'a method of a later release',
  KVM_RUN: 'vcpu.run()',
};

/** Filled on first use: only errors and listings need names. */
let names: Map<number, IoctlName> | undefined;

/**
 * The kernel's name of a request.
 *
 * @param request - the request number
 * @param fd - what it is sent to: 0x4010aeab is `KVM_GET_ONE_REG` on a vCPU and `KVM_ARM_SET_DEVICE_ADDR` on a VM
 * @returns the name, or the number in hex (`'0xae99'`) where it has none
 */
export function ioctlName(request: number, fd: FdKind): string {
  if (fd === 'vm' && request === KVM_IOCTL.KVM_ARM_SET_DEVICE_ADDR) return 'KVM_ARM_SET_DEVICE_ADDR';
  // Later entries win: KVM_GET_ONE_REG stands after its namesake.
  names ??= new Map(Object.entries(KVM_IOCTL).map(([name, number]) => [number, name as IoctlName]));
  return names.get(request) ?? `0x${request.toString(16)}`;
}
