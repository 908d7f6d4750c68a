/**
 * Guest memory (`__kvm_set_memory_region`, `kvm_get_dirty_log`, virt/kvm/kvm_main.c; `kvm_arch_prepare_memory_region`,
 * arch/arm64/kvm/mmu.c), with the checks in the kernel's order.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { ERRNO } from '../abi/errno.ts';
import { dirtyBitmapSize, KVM_MEM } from '../abi/memory.ts';
import type { Result } from '../backend.ts';
import type { HostProfile } from './profile.ts';
import type { MemorySlot, VmState } from './state.ts';

const U64_END = 1n << 64n;

/** What a vCPU shares with its program is `struct kvm_run` and the coalesced MMIO ring, a page each. */
export function pageSizeOf({ vcpuMmapSize }: HostProfile): number {
  return vcpuMmapSize / 2;
}

/** KVM_SET_USER_MEMORY_REGION; no bytes delete the slot. */
export function setMemorySlot(
  vm: VmState,
  slot: number,
  flags: number,
  guestPhysAddr: bigint,
  bytes: Uint8Array,
): Result {
  if ((flags & ~(KVM_MEM.KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM.KVM_MEM_READONLY)) !== 0) return -ERRNO.EINVAL;
  const pageSize = pageSizeOf(vm.host.profile);
  const end = guestPhysAddr + BigInt(bytes.length);
  if (bytes.length % pageSize !== 0 || guestPhysAddr % BigInt(pageSize) !== 0n) return -ERRNO.EINVAL;
  if (bytes.length > 0 && bytes.byteOffset % pageSize !== 0) return -ERRNO.EINVAL;
  if (slot >= (vm.host.profile.capabilities[KVM_CAP.KVM_CAP_NR_MEMSLOTS] ?? 0)) return -ERRNO.EINVAL;
  if (end > U64_END) return -ERRNO.EINVAL;

  const old = vm.memory.get(slot);
  if (bytes.length === 0) {
    vm.machine?.forgetMemory();
    return vm.memory.delete(slot) ? 0 : -ERRNO.EINVAL;
  }
  if (old !== undefined) {
    const isOther = old.bytes.buffer !== bytes.buffer || old.bytes.byteOffset !== bytes.byteOffset;
    const readOnlyChanges = ((flags ^ old.flags) & KVM_MEM.KVM_MEM_READONLY) !== 0;
    if (isOther || old.bytes.length !== bytes.length || readOnlyChanges) return -ERRNO.EINVAL;
    if (old.guestPhysAddr === guestPhysAddr && old.flags === flags) return 0;
  }
  if (old?.guestPhysAddr !== guestPhysAddr) {
    for (const [other, { guestPhysAddr: start, bytes: there }] of vm.memory) {
      if (other !== slot && guestPhysAddr < start + BigInt(there.length) && start < end) return -ERRNO.EEXIST;
    }
  }
  if (end > 1n << BigInt(vm.ipaBits)) return -ERRNO.EFAULT;
  const dirty =
    (flags & KVM_MEM.KVM_MEM_LOG_DIRTY_PAGES) !== 0
      ? (old?.dirty ?? newBitmap(bytes.length / pageSize))
      : undefined;
  vm.memory.set(slot, { flags, guestPhysAddr, bytes, dirty });
  vm.machine?.forgetMemory();
  return 0;
}

function newBitmap(pageCount: number): Uint8Array {
  return new Uint8Array(dirtyBitmapSize(pageCount));
}

/** KVM_GET_DIRTY_LOG: what is read is clean again, unless the program clears it itself. */
export function getDirtyLog(vm: VmState, slot: number, bitmap: Uint8Array): Result {
  const found = logged(vm, slot);
  if (typeof found === 'number') return found;
  bitmap.set(found.dirty);
  if (!vm.manualDirtyProtect) {
    found.dirty.fill(0);
    vm.machine?.forgetWritable();
  }
  return 0;
}

/** KVM_CLEAR_DIRTY_LOG (`kvm_clear_dirty_log_protect`). */
export function clearDirtyLog(
  vm: VmState,
  slot: number,
  firstPage: number,
  pageCount: number,
  bitmap: Uint8Array,
): Result {
  if (slot >= (vm.host.profile.capabilities[KVM_CAP.KVM_CAP_NR_MEMSLOTS] ?? 0)) return -ERRNO.EINVAL;
  if (firstPage % 64 !== 0) return -ERRNO.EINVAL;
  const found = logged(vm, slot);
  if (typeof found === 'number') return found;
  const rest = found.bytes.length / pageSizeOf(vm.host.profile) - firstPage;
  if (pageCount > rest || (pageCount < rest && pageCount % 64 !== 0)) return -ERRNO.EINVAL;
  for (let i = 0; i < dirtyBitmapSize(pageCount); i++) found.dirty[firstPage / 8 + i]! &= ~bitmap[i]!;
  vm.machine?.forgetWritable();
  return 0;
}

/** The slot, if it is logged. */
function logged(vm: VmState, slot: number): (MemorySlot & { dirty: Uint8Array }) | Result {
  if (slot >= (vm.host.profile.capabilities[KVM_CAP.KVM_CAP_NR_MEMSLOTS] ?? 0)) return -ERRNO.EINVAL;
  const found = vm.memory.get(slot);
  return found?.dirty === undefined ? -ERRNO.ENOENT : { ...found, dirty: found.dirty };
}
