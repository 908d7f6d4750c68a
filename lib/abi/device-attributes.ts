/**
 * Devices of a VM and the attributes that devices, VMs and vCPUs have (`linux/kvm.h`, `asm/kvm.h` of arm64;
 * Documentation/virt/kvm/devices/).
 *
 * @packageDocumentation
 */
import { checkUnsigned, invalidValue, outOfRange } from './argument.ts';

/** Types of `KVM_CREATE_DEVICE` that arm64 has. */
export const KVM_DEV_TYPE = {
  KVM_DEV_TYPE_VFIO: 4,
  KVM_DEV_TYPE_ARM_VGIC_V2: 5,
  KVM_DEV_TYPE_ARM_VGIC_V3: 7,
  KVM_DEV_TYPE_ARM_VGIC_ITS: 8,
  /** Linux 7.0+. */
  KVM_DEV_TYPE_ARM_VGIC_V5: 16,
} as const;

type Short<Name> = Name extends `KVM_DEV_TYPE_${infer Rest}` ? Rest : never;

/** A device's type without `KVM_DEV_TYPE_`. */
export type DeviceType = Short<keyof typeof KVM_DEV_TYPE>;

/** In the flags of `KVM_CREATE_DEVICE`: only ask whether it could be created. */
export const KVM_CREATE_DEVICE_TEST = 1;

/** Groups of a GIC's attributes. */
export const KVM_DEV_ARM_VGIC_GRP = {
  /** Where it lies, by {@link KVM_VGIC_ADDR_TYPE}: u64. */
  KVM_DEV_ARM_VGIC_GRP_ADDR: 0,
  /** Distributor registers: u32, at `cpu << 32 | offset`. */
  KVM_DEV_ARM_VGIC_GRP_DIST_REGS: 1,
  /** CPU interface registers of a GICv2: u32, at `cpu << 32 | offset`. */
  KVM_DEV_ARM_VGIC_GRP_CPU_REGS: 2,
  /** How many interrupts: u32, 64 to 992 in steps of 32. */
  KVM_DEV_ARM_VGIC_GRP_NR_IRQS: 3,
  /** Actions, by {@link KVM_DEV_ARM_VGIC_CTRL}. */
  KVM_DEV_ARM_VGIC_GRP_CTRL: 4,
  /** Redistributor registers of a GICv3: u32, at `affinity << 32 | offset`. */
  KVM_DEV_ARM_VGIC_GRP_REDIST_REGS: 5,
  /** ICC_*_EL1 of a GICv3: u64, at `affinity << 32 | encoding`. */
  KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: 6,
  /** Levels of 32 interrupts of a GICv3: u32, at `affinity << 32 | info << 10 | first interrupt`. */
  KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: 7,
  /** Registers of an ITS: u64, at their offset. */
  KVM_DEV_ARM_VGIC_GRP_ITS_REGS: 8,
  /** The PPI by which a GIC tells an EL2 guest's list registers: u32 (Linux 6.15+). */
  KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ: 9,
} as const;

/** Attributes of the group ADDR; the header's names. */
export const KVM_VGIC_ADDR_TYPE = {
  KVM_VGIC_V2_ADDR_TYPE_DIST: 0,
  KVM_VGIC_V2_ADDR_TYPE_CPU: 1,
  KVM_VGIC_V3_ADDR_TYPE_DIST: 2,
  KVM_VGIC_V3_ADDR_TYPE_REDIST: 3,
  KVM_VGIC_ITS_ADDR_TYPE: 4,
  KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: 5,
} as const;

/** Bytes of the frames of a GIC. A GICv3's redistributors take their size for each vCPU. */
export const KVM_VGIC_SIZE = {
  KVM_VGIC_V2_DIST_SIZE: 0x1000,
  KVM_VGIC_V2_CPU_SIZE: 0x2000,
  KVM_VGIC_V3_DIST_SIZE: 0x1_0000,
  KVM_VGIC_V3_REDIST_SIZE: 0x2_0000,
} as const;

/** Attributes of the group CTRL, all without a value. */
export const KVM_DEV_ARM_VGIC_CTRL = {
  KVM_DEV_ARM_VGIC_CTRL_INIT: 0,
  KVM_DEV_ARM_ITS_SAVE_TABLES: 1,
  KVM_DEV_ARM_ITS_RESTORE_TABLES: 2,
  KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES: 3,
  KVM_DEV_ARM_ITS_CTRL_RESET: 4,
} as const;

/** Groups of a vCPU's attributes. */
export const KVM_ARM_VCPU_CTRL = {
  KVM_ARM_VCPU_PMU_V3_CTRL: 0,
  KVM_ARM_VCPU_TIMER_CTRL: 1,
  KVM_ARM_VCPU_PVTIME_CTRL: 2,
} as const;

/** Attributes of the group PMU_V3. */
export const KVM_ARM_VCPU_PMU_V3 = {
  /** The overflow interrupt, int: a PPI, the same for all vCPUs, or an SPI of each. Needs a GIC in the kernel. */
  KVM_ARM_VCPU_PMU_V3_IRQ: 0,
  /** Ends the set-up; no value. */
  KVM_ARM_VCPU_PMU_V3_INIT: 1,
  /** `struct kvm_pmu_event_filter`: see {@link encodePmuFilter}. */
  KVM_ARM_VCPU_PMU_V3_FILTER: 2,
  /** Which of the host's PMUs, by its number in `/sys/bus/event_source/devices/`: int (Linux 5.18+). */
  KVM_ARM_VCPU_PMU_V3_SET_PMU: 3,
  /** How many event counters: u32 (Linux 6.17+). */
  KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS: 4,
} as const;

/** Attributes of the group TIMER: the PPI of each timer, int, the same for all vCPUs of a VM. */
export const KVM_ARM_VCPU_TIMER = {
  KVM_ARM_VCPU_TIMER_IRQ_VTIMER: 0,
  KVM_ARM_VCPU_TIMER_IRQ_PTIMER: 1,
  /** Linux 6.4+, as the next. */
  KVM_ARM_VCPU_TIMER_IRQ_HVTIMER: 2,
  KVM_ARM_VCPU_TIMER_IRQ_HPTIMER: 3,
} as const;

/** The attribute of the group PVTIME: where the vCPU's stolen time is told to the guest, u64. */
export const KVM_ARM_VCPU_PVTIME_IPA = 0;

/** The group of a VM's attributes, and its one attribute: a `struct kvm_smccc_filter` (`abi/smccc-filter.ts`). */
export const KVM_ARM_VM_SMCCC_CTRL = 0;
export const KVM_ARM_VM_SMCCC_FILTER = 0;

/** A run of redistributors of a GICv3, as {@link encodeRedistributorRegion} takes it. */
export interface RedistributorRegion {
  /** Where it begins: a multiple of 64 KiB below 2^52. */
  readonly base: bigint;
  /** For how many vCPUs: 1 to 4095. */
  readonly count: number;
  /** Regions are numbered from 0 on, without gaps: 0 to 4095. */
  readonly index: number;
}

const FIELD_12 = 0xfff;

/** The value of `KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION`: count in 63:52, base in 51:16, no flags, index in 11:0. */
export function encodeRedistributorRegion({ base, count, index }: RedistributorRegion): bigint {
  checkUnsigned('count', count, FIELD_12);
  checkUnsigned('index', index, FIELD_12);
  if (base < 0n || base >> 52n !== 0n || (base & 0xffffn) !== 0n) {
    throw outOfRange('base', 'a multiple of 64 KiB below 2^52', base);
  }
  return (BigInt(count) << 52n) | base | BigInt(index);
}

/** What a filter does with the PMU events of a range. */
export const KVM_PMU_EVENT = { allow: 0, deny: 1 } as const;

/** Events of a PMU that its guest may count, or may not. The first range decides about all the others. */
export interface PmuEventRange {
  /** The first event number, u16. */
  readonly base: number;
  /** How many, u16. */
  readonly count: number;
  readonly action: keyof typeof KVM_PMU_EVENT;
}

/** Bytes of `struct kvm_pmu_event_filter`. */
export const PMU_FILTER_SIZE = 8;

/** `struct kvm_pmu_event_filter`. */
export function encodePmuFilter({ base, count, action }: PmuEventRange): Uint8Array<ArrayBuffer> {
  checkUnsigned('base', base, 0xffff);
  checkUnsigned('count', count, 0xffff);
  if (!Object.hasOwn(KVM_PMU_EVENT, action)) throw invalidValue('action', "'allow' or 'deny'", action);
  const view = new DataView(new ArrayBuffer(PMU_FILTER_SIZE));
  view.setUint16(0, base, true);
  view.setUint16(2, count, true);
  view.setUint8(4, KVM_PMU_EVENT[action]);
  return new Uint8Array(view.buffer);
}

/** What a `struct kvm_pmu_event_filter` says; undefined for bytes that are none. */
export function decodePmuFilter(bytes: Uint8Array): PmuEventRange | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const action = PMU_ACTIONS[view.getUint8(4)];
  if (action === undefined) return undefined;
  const range = { base: view.getUint16(0, true), count: view.getUint16(2, true), action };
  return Buffer.compare(encodePmuFilter(range), bytes) === 0 ? range : undefined;
}

const PMU_ACTIONS = Object.keys(KVM_PMU_EVENT) as PmuEventRange['action'][];
