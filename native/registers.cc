// Registers through KVM_GET_ONE_REG and KVM_SET_ONE_REG (Documentation/virt/kvm/api.rst 4.68, 4.69).
#include <linux/kvm.h>

#include <algorithm>
#include <cstring>

#include "arguments.h"
#include "module.h"

namespace {

// The width that an id encodes: up to 32 KiB, so it fits a bounce buffer whatever the id.
size_t BytesOf(uint64_t id) { return size_t{1} << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT); }

// 64-bit words that hold it.
size_t WordsOf(uint64_t id) { return BytesOf(id) <= 8 ? 1 : BytesOf(id) / 8; }

// KVM_GET_REG_LIST, whose struct ends in a flexible array. The header's own macro is wrong in C++: there the
// empty struct within __DECLARE_FLEX_ARRAY (linux/stddef.h) has a size, and the request number holds it.
constexpr unsigned long kGetRegList = _IOWR(KVMIO, 0xb0, uint64_t);

// (…, ids, words, status): calls transfer(id, words of that register) for each, and counts the failures.
template <typename Transfer>
Napi::Value Batch(const Napi::CallbackInfo& info, Transfer transfer) {
  Span<uint64_t> ids, words;
  Span<int32_t> status;
  if (!TakeArray(info, 1, "ids", &ids) || !TakeArray(info, 2, "words", &words) ||
      !TakeArray(info, 3, "status", &status)) {
    return {};
  }
  size_t needed = 0;
  for (size_t i = 0; i < ids.size; i++) needed += WordsOf(ids.data[i]);
  if (words.size < needed) {
    RefuseRange(info.Env(), "words", "long enough for the widths of all ids");
    return {};
  }
  if (status.size < ids.size) {
    RefuseRange(info.Env(), "status", "as long as ids");
    return {};
  }

  int failures = 0;
  size_t at = 0;
  for (size_t i = 0; i < ids.size; i++) {
    // Read once, and measured again: another thread may have changed the ids since the check above.
    const uint64_t id = __atomic_load_n(ids.data + i, __ATOMIC_RELAXED);
    const size_t count = WordsOf(id);
    if (count > words.size - at) return Answer(info.Env(), -EINVAL);
    const int result = transfer(id, words.data + at, count);
    at += count;
    status.data[i] = result < 0 ? result : 0;
    failures += result < 0;
  }
  return Answer(info.Env(), failures);
}

}  // namespace

// The kernel reads or writes `words` itself: the one struct of which it touches as many bytes as the id says, no more.
int Module::OneReg(int fd, unsigned long request, uint64_t id, const uint64_t* words) {
  kvm_one_reg reg = {};
  reg.id = id;
  reg.addr = reinterpret_cast<uintptr_t>(words);
  return Call(fd, request, &reg);
}

// getOneReg(fd, id)
Napi::Value Module::GetOneReg(const Napi::CallbackInfo& info) {
  int fd;
  uint64_t id;
  if (!TakeFd(info, &fd) || !TakeU64(info, 1, "id", &id)) return {};
  uint64_t* const words = argument_.words();
  const size_t count = WordsOf(id);
  memset(words, 0, count * sizeof *words);
  const int result = OneReg(fd, KVM_GET_ONE_REG, id, words);
  if (result < 0) return Answer(info.Env(), result);
  napi_value value = nullptr;
  if (count == 1) {
    napi_create_bigint_uint64(info.Env(), *words, &value);
  } else {
    napi_create_bigint_words(info.Env(), 0, count, words, &value);
  }
  return {info.Env(), value};
}

// setOneReg(fd, id, value)
Napi::Value Module::SetOneReg(const Napi::CallbackInfo& info) {
  int fd;
  uint64_t id;
  if (!TakeFd(info, &fd) || !TakeU64(info, 1, "id", &id)) return {};
  uint64_t* const words = argument_.words();
  const size_t count = WordsOf(id);
  if (count == 1) {
    if (!TakeU64(info, 2, "value", words)) return {};
    const size_t bits = 8 * BytesOf(id);
    if (bits < 64 && *words >> bits != 0) {
      RefuseRange(info.Env(), "value", "within the width of the register");
      return {};
    }
  } else {
    size_t given;
    if (napi_get_value_bigint_words(info.Env(), info[2], nullptr, &given, nullptr) != napi_ok) {
      RefuseType(info.Env(), "value", "a bigint");
      return {};
    }
    int negative = 0;
    memset(words, 0, count * sizeof *words);
    if (given <= count) napi_get_value_bigint_words(info.Env(), info[2], &negative, &given, words);
    if (given > count || negative) {
      RefuseRange(info.Env(), "value", "within the width of the register");
      return {};
    }
  }
  return Answer(info.Env(), OneReg(fd, KVM_SET_ONE_REG, id, words));
}

// getRegList(fd). The buffer has room for more ids than any kernel lists (below 1000), so one system call is enough.
Napi::Value Module::GetRegList(const Napi::CallbackInfo& info) {
  int fd;
  if (!TakeFd(info, &fd)) return {};
  constexpr uint64_t room = Bounce::kSize / sizeof(uint64_t) - 1;
  uint64_t* const list = argument_.words();  // struct kvm_reg_list: n, then the ids
  *list = room;
  const int result = Call(fd, kGetRegList, list);
  if (result < 0) return Answer(info.Env(), result);
  const size_t count = std::min(*list, room);
  Napi::BigUint64Array ids = Napi::BigUint64Array::New(info.Env(), count);
  if (count > 0 && !ids.IsEmpty()) memcpy(ids.Data(), list + 1, count * sizeof *list);
  return ids;
}

// getRegs(fd, ids, words, status)
Napi::Value Module::GetRegs(const Napi::CallbackInfo& info) {
  int fd;
  if (!TakeFd(info, &fd)) return {};
  return Batch(info, [fd](uint64_t id, uint64_t* words, size_t count) {
    *words = 0;  // a narrow register fills a part of it
    if (count > 1) memset(words + 1, 0, (count - 1) * sizeof *words);  // not a call for each of the many others
    return OneReg(fd, KVM_GET_ONE_REG, id, words);
  });
}

// setRegs(fd, ids, words, status)
Napi::Value Module::SetRegs(const Napi::CallbackInfo& info) {
  int fd;
  if (!TakeFd(info, &fd)) return {};
  return Batch(info, [fd](uint64_t id, const uint64_t* words, size_t) {
    return OneReg(fd, KVM_SET_ONE_REG, id, words);
  });
}
