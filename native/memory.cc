#include "memory.h"

#include <linux/kvm.h>

#include "arguments.h"
#include "module.h"

MemorySlots::~MemorySlots() {
  for (const auto& [slot, memory] : slots_) napi_delete_reference(env_, memory);
}

void MemorySlots::Put(uint32_t slot, napi_ref memory) {
  const auto former = slots_.find(slot);
  if (former != slots_.end()) {
    napi_delete_reference(env_, former->second);
    slots_.erase(former);
  }
  if (memory != nullptr) slots_[slot] = memory;
}

// setUserMemoryRegion(fd, slot, flags, guestPhysAddr, bytes): no bytes delete the slot.
Napi::Value Module::SetUserMemoryRegion(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Descriptor* descriptor = nullptr;
  kvm_userspace_memory_region region = {};
  uint64_t guest_phys_addr;
  Span<uint8_t> bytes;
  if (!TakeDescriptor(info, &descriptor) || !TakeU32(info, 1, "slot", &region.slot) ||
      !TakeU32(info, 2, "flags", &region.flags) || !TakeU64(info, 3, "guestPhysAddr", &guest_phys_addr) ||
      !TakeArray(info, 4, "bytes", &bytes)) {
    return {};
  }
  // Memory of one thread can be detached or transferred, and is then freed whoever refers to it.
  if (bytes.size > 0 && !IsShared(env, info[4])) {
    RefuseType(env, "bytes", "a Uint8Array on shared memory");
    return {};
  }
  region.guest_phys_addr = guest_phys_addr;
  region.memory_size = bytes.size;
  region.userspace_addr = bytes.size > 0 ? reinterpret_cast<uintptr_t>(bytes.data) : 0;

  napi_ref memory = nullptr;
  if (bytes.size > 0 && napi_create_reference(env, info[4], 1, &memory) != napi_ok) return {};
  const int result = Call(descriptor->fd, KVM_SET_USER_MEMORY_REGION, &region);
  if (result >= 0 && descriptor->memory) {
    descriptor->memory->Put(region.slot, memory);
  } else if (memory != nullptr) {
    napi_delete_reference(env, memory);
  }
  return Answer(env, result);
}
