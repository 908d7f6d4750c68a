// Memory that the kernel may read and write in place of the caller's.
#ifndef KVM_ARM64_BOUNCE_H
#define KVM_ARM64_BOUNCE_H

#include <cstddef>
#include <cstdint>

// A view on memory that a typed array owns.
template <typename T>
struct Span {
  T* data = nullptr;
  size_t size = 0;
};

// 256 KiB that end at an inaccessible page. A kernel may touch more than a caller's struct has: flexible
// arrays and device attributes have sizes that only the kernel knows. Here such a call reads zeros, or
// fails with EFAULT; it never reaches the JavaScript heap.
//
// A struct lies so far before that page that 8 KiB of zeros follow it, where it leaves as many: more than the
// ids of any register list. To clear all that is left would cost as much as the cheaper system calls.
class Bounce {
 public:
  static constexpr size_t kSize = 256 * 1024;  // whole pages of any size, for the guard; the longest table of interrupt routes

  Bounce();
  ~Bounce();
  Bounce(const Bounce&) = delete;
  Bounce& operator=(const Bounce&) = delete;

  bool ok() const { return bytes_ != nullptr; }
  uint8_t* bytes() const { return bytes_; }
  uint64_t* words() const { return reinterpret_cast<uint64_t*>(bytes_); }

  // Copies in, and clears what follows. Returns where the copy lies.
  uint8_t* Fill(Span<const uint8_t> from);

 private:
  static constexpr size_t kZeros = 8 * 1024;

  uint8_t* bytes_ = nullptr;
};

#endif
