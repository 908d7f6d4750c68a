#include "run_area.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

static_assert(offsetof(kvm_run, hypercall) == RunArea::kUnion);
static_assert(offsetof(kvm_run, kvm_valid_regs) == RunArea::kUnionEnd);

namespace {

constexpr size_t kImmediateExit = offsetof(kvm_run, immediate_exit);

}  // namespace

RunArea::RunArea(int fd, size_t size) : size_(size) {
  void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) bytes_ = static_cast<uint8_t*>(map);
}

RunArea::~RunArea() {
  if (ok()) munmap(bytes_, size_);
}

void RunArea::CopyIn(Span<const uint8_t> from) {
  memcpy(bytes_ + kUnion, from.data + kUnion, kUnionEnd - kUnion);
}

void RunArea::CopyOut(Span<uint8_t> to) const { memcpy(to.data, bytes_, std::min(to.size, size_)); }

void RunArea::SetImmediateExit(bool exits) {
  __atomic_store_n(bytes_ + kImmediateExit, exits, __ATOMIC_SEQ_CST);
}

bool RunArea::immediate_exit() const { return __atomic_load_n(bytes_ + kImmediateExit, __ATOMIC_SEQ_CST); }

int RunArea::Run(int fd) {
  return ioctl(fd, KVM_RUN, 0) < 0 ? -errno : 0;
}
