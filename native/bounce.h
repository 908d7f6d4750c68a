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

// 64 KiB that end at an inaccessible page. A kernel may touch more than a caller's struct has: flexible
// arrays and device attributes have sizes that only the kernel knows. Here such a call reads zeros, or
// fails with EFAULT; it never reaches the JavaScript heap.
class Bounce {
 public:
  static constexpr size_t kSize = 64 * 1024;  // the largest page of arm64, so the guard begins at a page

  Bounce();
  ~Bounce();
  Bounce(const Bounce&) = delete;
  Bounce& operator=(const Bounce&) = delete;

  bool ok() const { return bytes_ != nullptr; }
  uint8_t* bytes() const { return bytes_; }
  uint64_t* words() const { return reinterpret_cast<uint64_t*>(bytes_); }

  // Copies in, and clears what follows.
  void Fill(Span<const uint8_t> from);
  void Drain(Span<uint8_t> to) const;

 private:
  uint8_t* bytes_ = nullptr;
};

#endif
