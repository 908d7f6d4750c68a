/**
 * The file of a saved state, version 1. All numbers are little-endian; every part begins at a multiple of 8, and pages of
 * memory at one of 4096, so that they can be mapped; bytes that have no meaning are 0.
 *
 * ```text
 *    0  magic          8   89 4b 56 4d 36 34 0d 0a: no text, and damaged by whatever converts line ends
 *    8  version        u32 1
 *   12  sections       u32 how many, at most 4096
 *   16  file length    u64 in bytes
 *   24  checksum       u32 CRC-32 of the header (with 0 in this place) and the table
 *   28  zero           u32
 *   32  table: for each section, in the order in which they follow each other without gaps
 *        0  type       u32 1 provenance (the first, and once), 2 vCPU, 3 VM (at most once), 4 memory, 5 pages (one
 *                      behind each memory)
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
 * A reader refuses what is not exactly so; versions to come have another number.
 *
 * @packageDocumentation
 */

/** The first bytes. */
export const MAGIC: readonly number[] = [0x89, 0x4b, 0x56, 0x4d, 0x36, 0x34, 0x0d, 0x0a];

/** The version that this library writes, and the only one that it reads. */
export const FILE_VERSION = 1;

/** Offsets in the header. */
export const HEADER = { version: 8, sections: 12, fileLength: 16, checksum: 24, zero: 28, size: 32 } as const;

/** Offsets in a row of the table. */
export const ROW = { type: 0, checksum: 4, offset: 8, length: 16, size: 24 } as const;

/** Types of section. */
export const SECTION = { provenance: 1, vcpu: 2, vm: 3, memory: 4, pages: 5 } as const;

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
