/**
 * The file of a saved state, versions 1 and 2. All numbers are little-endian; every part begins at a multiple of 8, and pages of
 * memory at one of 4096, so that they can be mapped; bytes that have no meaning are 0.
 *
 * ```text
 *    0  magic          8   89 4b 56 4d 36 34 0d 0a: no text, and damaged by whatever converts line ends
 *    8  version        u32 1; 2 where it has sections of the types 6 to 8
 *   12  sections       u32 how many, at most 4096
 *   16  file length    u64 in bytes
 *   24  checksum       u32 CRC-32 of the header (with 0 in this place) and the table
 *   28  zero           u32
 *   32  table: for each section, in the order in which they follow each other without gaps
 *        0  type       u32 1 provenance (once), 3 VM, 7 more of the VM, 6 interrupt controller (at most once each), 2 vCPU,
 *                      8 devices of a vCPU (one behind it at most), 4 memory, 5 pages (one behind each memory); in this order
 *        4  checksum   u32 CRC-32 of the section
 *        8  offset     u64 in the file
 *       16  length     u64 in bytes, without the zeros up to the next section
 * ```
 *
 * The provenance is JSON in UTF-8, of the fields of `Provenance`. A vCPU is
 *
 * ```text
 *    0  architecture   u32 0 arm64, 1 arm
 *    4  id             u32
 *    8  struct kvm_vcpu_init     32 bytes: target and features
 *   40  MP state       u32 KVM_MP_STATE_*
 *   44  registers      u32 how many
 *   48  struct kvm_vcpu_events   64 bytes
 *  112  register ids   u64 each, none twice
 *       values         each in its width in whole 64-bit words, the unused bits 0
 * ```
 *
 * A VM is
 *
 * ```text
 *    0  IPA bits       u32
 *    4  capabilities   u32 how many
 *    8  capabilities   40 bytes each, none twice: u32 number, u32 flags, u64 four arguments of KVM_ENABLE_CAP
 * ```
 *
 * More of it, where there is any, is
 *
 * ```text
 *    0  PPIs           u32 how many of the timers' are told, 0 to 4
 *    4  ranges         u32 how many of the SMCCC filter
 *    8  PPIs           4 times u32: of the virtual, the physical, the EL2 virtual and the EL2 physical timer
 *   24  ranges         24 bytes each: struct kvm_smccc_filter
 * ```
 *
 * An interrupt controller is
 *
 * ```text
 *    0  version        u32 2 or 3
 *    4  flags          u32 1 initialised, 2 one run of redistributors, as many as vCPUs
 *    8  interrupts     u32 how many, 64 to 992; 0 as many as the kernel has by itself
 *   12  maintenance    u32 the PPI, 16 to 31; 0 none
 *   16  distributor    u64 its address
 *   24  CPU interface  u64 its address; 0 of a GICv3
 *   32  runs           u32 of redistributors; 0 of a GICv2
 *   36  registers      u32 how many
 *   40  runs           u64 address, u64 count (0 with flag 2)
 *       registers      u32 KVM_DEV_ARM_VGIC_GRP_*, u32 zero, u64 attribute, u64 value; none twice
 * ```
 *
 * Devices of a vCPU, where it has any, are
 *
 * ```text
 *    0  flags          u32 1 its PMU is initialised, 2 and has an interrupt, 4 its stolen time is told
 *    4  interrupt      u32
 *    8  stolen time    u64 guest physical address
 *   16  ranges         u32 how many of the PMU's filter
 *   20  zero           u32
 *   24  ranges         8 bytes each: struct kvm_pmu_event_filter
 * ```
 *
 * A region of memory is
 *
 * ```text
 *    0  address        u64 guest physical
 *    8  size           u64 in bytes, a multiple of 4096, 4 GiB at most
 *   16  flags          u32 1 read-only, 2 dirty pages are logged, 4 complete: pages that are not in the file are zero.
 *                      Without that they are as an earlier file has them
 *   20  zero           u32
 *   24  bit map        a bit for each 4096 bytes, whether they are in the file; in whole 64-bit words
 * ```
 *
 * and its pages are those of the bit map, 4096 bytes each, in order.
 *
 * A reader refuses what is not exactly so. What a version does not have makes another one, with the next number; a file has
 * the lowest that it needs, so that a state without news is read by earlier readers, too.
 *
 * @packageDocumentation
 */

/** The first bytes. */
export const MAGIC: readonly number[] = [0x89, 0x4b, 0x56, 0x4d, 0x36, 0x34, 0x0d, 0x0a];

/** The newest version that this library reads and writes. */
export const FILE_VERSION = 2;

/** Offsets in the header. */
export const HEADER = { version: 8, sections: 12, fileLength: 16, checksum: 24, zero: 28, size: 32 } as const;

/** Offsets in a row of the table. */
export const ROW = { type: 0, checksum: 4, offset: 8, length: 16, size: 24 } as const;

/** Types of section. */
export const SECTION = {
  provenance: 1,
  vcpu: 2,
  vm: 3,
  memory: 4,
  pages: 5,
  gic: 6,
  moreOfVm: 7,
  vcpuDevices: 8,
} as const;

/** In which order they are; those in one place may take turns. */
const PLACES: readonly (readonly number[])[] = [
  [SECTION.provenance],
  [SECTION.vm],
  [SECTION.moreOfVm],
  [SECTION.gic],
  [SECTION.vcpu, SECTION.vcpuDevices],
  [SECTION.memory, SECTION.pages],
];

/** Where a section of this type has its place; -1 for a type that is unknown. */
export function placeOf(type: number): number {
  return PLACES.findIndex(types => types.includes(type));
}

/** The version of a file with sections of these types. */
export function versionFor(types: readonly number[]): number {
  const { gic, moreOfVm, vcpuDevices } = SECTION;
  return [gic, moreOfVm, vcpuDevices].some(type => types.includes(type)) ? 2 : 1;
}

/** Offsets in a section of type vCPU. */
export const VCPU = {
  architecture: 0,
  id: 4,
  init: 8,
  mpState: 40,
  registers: 44,
  events: 48,
  ids: 112,
} as const;

/** Offsets in a section of type VM, and in one of its capabilities. */
export const VM = { ipaBits: 0, capabilities: 4, list: 8 } as const;
export const CAPABILITY = { cap: 0, flags: 4, args: 8, size: 40 } as const;

/** Offsets in a section of type more of the VM. */
export const MORE_OF_VM = { ppis: 0, ranges: 4, ppiList: 8, list: 24, timers: 4 } as const;

/** Offsets in a section of type interrupt controller, in a run of redistributors, and in a register. */
export const GIC = {
  version: 0,
  flags: 4,
  irqs: 8,
  maintenance: 12,
  distributor: 16,
  cpuInterface: 24,
  runs: 32,
  registers: 36,
  list: 40,
} as const;
export const GIC_FLAG = { initialized: 1, oneRun: 2 } as const;
export const GIC_RUN = { base: 0, count: 8, size: 16 } as const;
export const GIC_REGISTER = { group: 0, zero: 4, attr: 8, value: 16, size: 24 } as const;

/** Offsets in a section of type devices of a vCPU, and its flags. */
export const VCPU_DEVICES = { flags: 0, irq: 4, pvTime: 8, ranges: 16, zero: 20, list: 24 } as const;
export const VCPU_DEVICES_FLAG = { pmu: 1, pmuIrq: 2, pvTime: 4 } as const;

/** Offsets in a section of type memory, and its flags. */
export const MEMORY = { address: 0, size: 8, flags: 16, zero: 20, bitmap: 24 } as const;
export const MEMORY_FLAG = { readOnly: 1, logDirtyPages: 2, complete: 4 } as const;

/** Architectures by number. */
export const ARCHITECTURES = ['arm64', 'arm'] as const;

/** Bytes of a page in a file, whatever pages the host has. */
export const PAGE = 4096;

/** As many vCPUs and regions as no kernel has. */
export const MAX_SECTIONS = 4096;

/** Where a section of this type begins that comes behind what ends here. */
export function startOf(type: number, end: number): number {
  const alignment = type === SECTION.pages ? PAGE : 8;
  return Math.ceil(end / alignment) * alignment;
}
