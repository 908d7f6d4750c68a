#include "bounce.h"

#include <sys/mman.h>

#include <cstring>

Bounce::Bounce() {
  void* map = mmap(nullptr, 2 * kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return;
  if (mprotect(map, kSize, PROT_READ | PROT_WRITE) == 0) {
    bytes_ = static_cast<uint8_t*>(map);
  } else {
    munmap(map, 2 * kSize);
  }
}

Bounce::~Bounce() {
  if (ok()) munmap(bytes_, 2 * kSize);
}

uint8_t* Bounce::Fill(Span<const uint8_t> from) {
  const size_t used = from.size + kZeros;
  // Aligned as any struct may need.
  uint8_t* const at = bytes_ + (used < kSize ? (kSize - used) / 16 * 16 : 0);
  // An empty view may have no address, which memcpy must not be given.
  if (from.size > 0) memcpy(at, from.data, from.size);
  memset(at + from.size, 0, bytes_ + kSize - (at + from.size));
  return at;
}
