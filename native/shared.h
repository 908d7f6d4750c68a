// A pointer that several own, all on one thread. A std::shared_ptr would need GLIBC_2.32.
#ifndef KVM_ARM64_SHARED_H
#define KVM_ARM64_SHARED_H

#include <utility>

template <typename T>
class Shared {
 public:
  Shared() = default;
  explicit Shared(T* object) : held_(new Held{object, 1}) {}
  Shared(const Shared& other) : held_(other.held_) {
    if (held_ != nullptr) held_->owners++;
  }
  Shared& operator=(Shared other) {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Shared() {
    if (held_ == nullptr || --held_->owners > 0) return;
    delete held_->object;
    delete held_;
  }

  explicit operator bool() const { return held_ != nullptr; }
  T* operator->() const { return held_->object; }

 private:
  struct Held {
    T* object;
    int owners;
  };

  Held* held_ = nullptr;
};

#endif
