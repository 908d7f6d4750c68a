/**
 * Guest memory: the flags of a slot, and its dirty bitmap.
 *
 * @packageDocumentation
 */

/** Flags of `struct kvm_userspace_memory_region`. */
export const KVM_MEM = {
  KVM_MEM_LOG_DIRTY_PAGES: 1,
  KVM_MEM_READONLY: 2,
} as const;

/** Bytes of the dirty bitmap of that many pages: a bit for each, in words of 64 (`kvm_dirty_bitmap_bytes`). */
export function dirtyBitmapSize(pageCount: number): number {
  return Math.ceil(pageCount / 64) * 8;
}
