// The guest memory that a VM has: JavaScript's, which must not go before the VM does.
#ifndef KVM_ARM64_MEMORY_H
#define KVM_ARM64_MEMORY_H

#include <napi.h>

#include <map>

// References to the arrays in a VM's slots. The kernel knows their addresses and nothing of their owner: memory that
// was collected would be the guest's still, and by then something else's, too.
class MemorySlots {
 public:
  explicit MemorySlots(napi_env env) : env_(env) {}
  ~MemorySlots();
  MemorySlots(const MemorySlots&) = delete;
  MemorySlots& operator=(const MemorySlots&) = delete;

  // What is in the slot from now on; nullptr: nothing.
  void Put(uint32_t slot, napi_ref memory);

 private:
  napi_env env_;
  std::map<uint32_t, napi_ref> slots_;
};

#endif
