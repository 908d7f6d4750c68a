/**
 * The capabilities of KVM that a program on arm64 may ask for: those for every architecture and those for Arm
 * (`linux/kvm.h`); the ones for x86, s390, PowerPC, MIPS, RISC-V and LoongArch alone are left out.
 *
 * @packageDocumentation
 */
import { checkUnsigned, invalidType, invalidValue } from './argument.ts';
import { didYouMean } from './nearest.ts';

/** Number, and what `KVM_CHECK_EXTENSION` tells by a value above 0. */
const TABLE = {
  IRQCHIP: [0, 'the kernel has an interrupt controller for guests'],
  USER_MEMORY: [3, 'guest memory is memory of the process'],
  NR_VCPUS: [9, 'recommended number of vCPUs in a VM'],
  NR_MEMSLOTS: [10, 'number of memory slots in a VM'],
  MP_STATE: [14, 'a vCPU can be stopped and started'],
  COALESCED_MMIO: [15, 'MMIO writes can be batched; page offset of the ring in the vCPU mapping'],
  SYNC_MMU: [16, 'changes to the mappings of the process reach the guest'],
  DESTROY_MEMORY_REGION_WORKS: [21, 'a memory slot can be removed'],
  SET_GUEST_DEBUG: [23, 'a guest can be debugged'],
  IRQ_ROUTING: [25, 'number of interrupt routes'],
  IRQ_INJECT_STATUS: [26, 'an injected interrupt tells whether it was delivered'],
  JOIN_MEMORY_REGIONS_WORKS: [30, 'adjoining memory slots work'],
  IRQFD: [32, 'an eventfd can raise an interrupt'],
  SET_BOOT_CPU_ID: [34, 'the boot vCPU can be chosen'],
  IOEVENTFD: [36, 'a guest write can signal an eventfd'],
  INTERNAL_ERROR_DATA: [40, 'an internal error comes with data'],
  VCPU_EVENTS: [41, 'pending exceptions can be read and written'],
  ENABLE_CAP: [54, 'a vCPU has KVM_ENABLE_CAP'],
  ASYNC_PF: [59, 'guests are told of pages that the host must fetch'],
  MAX_VCPUS: [66, 'largest number of vCPUs in a VM'],
  ONE_REG: [70, 'registers are read and written one by one'],
  SYNC_REGS: [74, 'registers are shared in struct kvm_run'],
  SIGNAL_MSI: [77, 'a message-signalled interrupt can be sent'],
  READONLY_MEM: [81, 'guest memory can be read-only'],
  IRQFD_RESAMPLE: [82, 'an eventfd can raise a level interrupt'],
  ARM_PSCI: [87, 'PSCI 0.1'],
  ARM_SET_DEVICE_ADDR: [88, 'KVM_ARM_SET_DEVICE_ADDR places the interrupt controller'],
  DEVICE_CTRL: [89, 'KVM_CREATE_DEVICE'],
  ARM_EL1_32BIT: [93, '32-bit guests'],
  ENABLE_CAP_VM: [98, 'a VM has KVM_ENABLE_CAP'],
  IOEVENTFD_NO_LENGTH: [100, 'an ioeventfd may ignore the width of the write'],
  VM_ATTRIBUTES: [101, 'a VM has device attributes'],
  ARM_PSCI_0_2: [102, 'PSCI 0.2 or later'],
  CHECK_EXTENSION_VM: [105, 'a VM has KVM_CHECK_EXTENSION'],
  DISABLE_QUIRKS: [116, 'old misbehaviour can be switched off'],
  MULTI_ADDRESS_SPACE: [118, 'number of address spaces'],
  GUEST_DEBUG_HW_BPS: [119, 'number of hardware breakpoints for debugging a guest'],
  GUEST_DEBUG_HW_WPS: [120, 'number of hardware watchpoints for debugging a guest'],
  IOEVENTFD_ANY_LENGTH: [122, 'an ioeventfd takes writes of any width'],
  ARM_PMU_V3: [126, 'guests can have a performance monitor'],
  VCPU_ATTRIBUTES: [127, 'a vCPU has device attributes'],
  MAX_VCPU_ID: [128, 'vCPU ids are below this'],
  MSI_DEVID: [131, 'message-signalled interrupts carry a device id'],
  IMMEDIATE_EXIT: [136, 'kvm_run.immediate_exit makes KVM_RUN return'],
  ARM_USER_IRQ: [144, 'interrupt lines of timers and PMU are shown to the process'],
  HYPERV_EVENTFD: [154, 'guest calls can signal an eventfd'],
  NESTED_STATE: [157, 'largest size of the state of nested virtualization'],
  ARM_INJECT_SERROR_ESR: [158, 'an injected SError can have a syndrome'],
  COALESCED_PIO: [162, 'port writes can be batched'],
  ARM_VM_IPA_SIZE: [165, 'largest number of guest-physical address bits'],
  MANUAL_DIRTY_LOG_PROTECT: [166, 'withdrawn; see KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2'],
  MANUAL_DIRTY_LOG_PROTECT2: [168, 'the dirty log can be cleared piece by piece'],
  ARM_SVE: [170, 'guests can have SVE'],
  ARM_PTRAUTH_ADDRESS: [171, 'guests can have pointer authentication of addresses'],
  ARM_PTRAUTH_GENERIC: [172, 'guests can have generic pointer authentication'],
  ARM_IRQ_LINE_LAYOUT_2: [174, 'KVM_IRQ_LINE takes vCPU numbers above 255'],
  ARM_NISV_TO_USER: [177, 'accesses without a syndrome can exit to the process'],
  ARM_INJECT_EXT_DABT: [178, 'an external data abort can be injected'],
  HALT_POLL: [182, 'the polling time of an idle vCPU can be set'],
  LAST_CPU: [184, 'an exit can tell on which CPU it came about'],
  STEAL_TIME: [187, 'guests can be told of stolen time'],
  DIRTY_LOG_RING: [192, 'largest size of the dirty ring in bytes; not on weakly ordered CPUs'],
  SET_GUEST_DEBUG2: [195, 'the KVM_GUESTDBG_* flags that are supported'],
  PTP_KVM: [198, 'guests can read the clock of the host'],
  EXIT_HYPERCALL: [201, 'hypercalls that can exit to the process'],
  BINARY_STATS_FD: [203, 'statistics by KVM_GET_STATS_FD'],
  ARM_MTE: [205, 'guests can have memory tagging'],
  VM_GPA_BITS: [207, 'number of guest-physical address bits of this VM'],
  SYS_ATTRIBUTES: [209, '/dev/kvm has device attributes'],
  DISABLE_QUIRKS2: [213, 'the quirks that can be switched off'],
  SYSTEM_EVENT_DATA: [215, 'a system event comes with data'],
  ARM_SYSTEM_SUSPEND: [216, 'the SYSTEM_SUSPEND call of PSCI can exit to the process'],
  DIRTY_LOG_RING_ACQ_REL: [223, 'largest size of the dirty ring in bytes'],
  DIRTY_LOG_RING_WITH_BITMAP: [225, 'the dirty ring comes with a bit map for writes of the kernel itself'],
  COUNTER_OFFSET: [227, 'KVM_ARM_SET_COUNTER_OFFSET'],
  ARM_EAGER_SPLIT_CHUNK_SIZE: [228, 'bytes of memory that are split at once when dirty logging begins'],
  ARM_SUPPORTED_BLOCK_SIZES: [229, 'bit map of the sizes that may be chosen for it'],
  ARM_SUPPORTED_REG_MASK_RANGES: [230, 'bit map of the ranges of KVM_ARM_GET_REG_WRITABLE_MASKS'],
  USER_MEMORY2: [231, 'KVM_SET_USER_MEMORY_REGION2'],
  MEMORY_FAULT_INFO: [232, 'a failed KVM_RUN tells which access failed'],
  MEMORY_ATTRIBUTES: [233, 'the attributes that guest memory can have'],
  GUEST_MEMFD: [234, 'guest memory can belong to the guest alone'],
  VM_TYPES: [235, 'bit map of the VM types'],
  PRE_FAULT_MEMORY: [236, 'KVM_PRE_FAULT_MEMORY'],
  ARM_WRITABLE_IMP_ID_REGS: [239, 'MIDR_EL1, REVIDR_EL1 and AIDR_EL1 can be written'],
  ARM_EL2: [240, 'guests can have EL2 (nested virtualization)'],
  ARM_EL2_E2H0: [241, 'guests can have an EL2 without the host extensions'],
  ARM_CACHEABLE_PFNMAP_SUPPORTED: [243, 'device memory can be mapped cacheable'],
  GUEST_MEMFD_FLAGS: [244, 'the flags of KVM_CREATE_GUEST_MEMFD'],
  ARM_SEA_TO_USER: [245, 'synchronous external aborts can exit to the process'],
  ARM_PMU_V3_STRICT: [251, 'the performance monitor can be bound to one kind of CPU'],
} as const;

type ShortName = keyof typeof TABLE;

/** A capability by the kernel's name, with or without `KVM_CAP_`. */
export type Capability = ShortName | `KVM_CAP_${ShortName}`;

const PREFIX = 'KVM_CAP_';

/** Capability numbers by the kernel's name. */
export const KVM_CAP = Object.fromEntries(
  Object.entries(TABLE).map(([name, [number]]) => [PREFIX + name, number]),
) as { readonly [Name in ShortName as `KVM_CAP_${Name}`]: (typeof TABLE)[Name][0] };

/** Where to stop when asking for all capabilities, known or not: Linux 7.3 ends at 251. */
export const MAX_CAPABILITY = 511;

/** Indexed by number. */
const byNumber: (readonly [name: string, meaning: string] | undefined)[] = [];
for (const [name, [number, meaning]] of Object.entries(TABLE)) byNumber[number] = [PREFIX + name, meaning];

/**
 * The number of a capability.
 *
 * @param capability - its name, or a number (u32), which may be one that this library does not know
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an unknown name, with the nearest known one
 */
export function capabilityNumber(capability: Capability | number): number {
  if (typeof capability === 'number') {
    checkUnsigned('capability', capability, 0xffff_ffff);
    return capability;
  }
  if (typeof capability === 'string') {
    const name = capability.startsWith(PREFIX) ? capability.slice(PREFIX.length) : capability;
    if (Object.hasOwn(TABLE, name)) return TABLE[name as ShortName][0];
    const hint = didYouMean(name, Object.keys(TABLE));
    throw invalidValue('capability', `a name of KVM_CAP_*${hint}`, capability);
  }
  throw invalidType('capability', 'a name of KVM_CAP_* or a number', capability);
}

/** The kernel's full name of a capability, `'KVM_CAP_ARM_PSCI_0_2'`; `undefined` where it has none here. */
export function capabilityName(number: number): keyof typeof KVM_CAP | undefined {
  return byNumber[number]?.[0] as keyof typeof KVM_CAP | undefined;
}

/** What a capability says, in a few words for people. */
export function capabilityMeaning(number: number): string | undefined {
  return byNumber[number]?.[1];
}
