// What a vCPU shares with its program: struct kvm_run, mapped.
#ifndef KVM_ARM64_RUN_AREA_H
#define KVM_ARM64_RUN_AREA_H

#include <cstddef>
#include <cstdint>

#include "bounce.h"

class RunArea {
 public:
  // The union of struct kvm_run that holds an exit's details, and the program's answer: the same on all architectures.
  static constexpr size_t kUnion = 32;
  static constexpr size_t kUnionEnd = 288;

  // Maps `size` bytes of a vCPU; see ok().
  RunArea(int fd, size_t size);
  ~RunArea();
  RunArea(const RunArea&) = delete;
  RunArea& operator=(const RunArea&) = delete;

  bool ok() const { return bytes_ != nullptr; }

  // Passes the program's answer to the last exit on. `from` is at least kUnionEnd long.
  void CopyIn(Span<const uint8_t> from);
  void CopyOut(Span<uint8_t> to) const;

  // Has KVM_RUN return at once: while it runs, from the next signal on, or when it is called.
  void SetImmediateExit(bool exits);
  bool immediate_exit() const;

  // ioctl(fd, KVM_RUN): the result, or -errno.
  int Run(int fd);

 private:
  uint8_t* bytes_ = nullptr;
  size_t size_;
};

#endif
