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

void Bounce::Fill(Span<const uint8_t> from) {
  // An empty view may have no address, which memcpy must not be given.
  if (from.size > 0) memcpy(bytes_, from.data, from.size);
  memset(bytes_ + from.size, 0, kSize - from.size);
}

void Bounce::Drain(Span<uint8_t> to) const {
  if (to.size > 0) memcpy(to.data, bytes_, to.size);
}
