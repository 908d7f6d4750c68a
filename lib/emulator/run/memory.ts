/**
 * The memory slots of a VM as its CPUs see them.
 *
 * @packageDocumentation
 */
import { KVM_MEM } from '../../abi/memory.ts';
import { type PhysicalMemory, Ram } from '../cpu/memory.ts';
import { pageSizeOf } from '../memory-slots.ts';
import type { MemorySlot, VmState } from '../state.ts';

const PAGE = 4096;

/** Stage 2 of a VM. */
export function physicalMemory(vm: VmState): PhysicalMemory {
  const pageSize = pageSizeOf(vm.host.profile);
  const rams = new WeakMap<MemorySlot, Ram>();
  const ramOf = (slot: MemorySlot): Ram => {
    let ram = rams.get(slot);
    if (ram === undefined) {
      const { buffer, byteOffset, byteLength } = slot.bytes;
      ram = new Ram(Number(slot.guestPhysAddr) / PAGE, buffer, byteOffset, byteLength);
      rams.set(slot, ram);
    }
    return ram;
  };
  return {
    ram(page, write) {
      for (const slot of vm.memory.values()) {
        const offset = page * PAGE - Number(slot.guestPhysAddr);
        if (offset < 0 || offset >= slot.bytes.length) continue;
        // A write to read-only memory is a program's to answer, as one to no memory is (`user_mem_abort`, mmu.c).
        if (write && (slot.flags & KVM_MEM.KVM_MEM_READONLY) !== 0) return undefined;
        if (write && slot.dirty !== undefined) markDirty(slot.dirty, Math.floor(offset / pageSize));
        return ramOf(slot);
      }
      return undefined;
    },
  };
}

function markDirty(bitmap: Uint8Array, page: number): void {
  bitmap[page >> 3]! |= 1 << (page & 7);
}
