// The functions that pass a request on. They know of it only what its number says, or whose descriptor it answers.
#include <linux/kvm.h>
#include <unistd.h>

#include <cstring>

#include "arguments.h"
#include "module.h"

namespace {

// The requests that answer a new descriptor. A closed list: to own the result of any other would be to
// close, sooner or later, a descriptor of somebody else.
constexpr uint32_t kCreators[] = {KVM_CREATE_VM, KVM_CREATE_VCPU};

// struct kvm_run is a part of a page; the whole is some pages.
constexpr uint32_t kLeastMapped = 4096;
constexpr uint32_t kMostMapped = 1 << 20;

bool IsCreator(uint32_t request) {
  for (const uint32_t creator : kCreators) {
    if (creator == request) return true;
  }
  return false;
}

bool TakeRequest(const Napi::CallbackInfo& info, uint32_t* request) {
  if (!TakeU32(info, 1, "request", request)) return false;
  return _IOC_TYPE(*request) == KVMIO || RefuseRange(info.Env(), "request", "of KVM (type byte 0xAE)");
}

// A number where it fits: to make a bigint and to read it again costs more than KVM_CHECK_EXTENSION itself.
bool TakeInteger(const Napi::CallbackInfo& info, size_t index, const char* name, uint64_t* value) {
  if (!info[index].IsNumber()) return TakeU64(info, index, name, value);
  uint32_t number;
  if (!TakeU32(info, index, name, &number)) return false;
  *value = number;
  return true;
}

// Bytes that fit the bounce buffer, and are no fewer than the kernel will certainly touch.
bool TakeBytes(const Napi::CallbackInfo& info, size_t index, const char* name, size_t least,
               Span<uint8_t>* bytes) {
  if (!TakeArray(info, index, name, bytes)) return false;
  if (bytes->size < least) return RefuseRange(info.Env(), name, "as long as the struct of the request");
  return bytes->size <= Bounce::kSize || RefuseRange(info.Env(), name, "256 KiB long at most");
}

// What the kernel made of a copy, to where it was copied from.
void Drain(const uint8_t* from, Span<uint8_t> to) {
  if (to.size > 0) memcpy(to.data, from, to.size);
}

}  // namespace

// ioctl(fd, request, argument[, pointee, offset]): an integer, or a struct, which may hold at `offset` the
// address of further bytes. Only this function makes addresses; the direction bits of the request decide
// which of the two it takes, so an integer never passes for one.
Napi::Value Module::Ioctl(const Napi::CallbackInfo& info) {
  int fd;
  uint32_t request;
  if (!TakeFd(info, &fd) || !TakeRequest(info, &request)) return {};
  const bool has_pointee = info.Length() > 3 && !info[3].IsUndefined();

  if (_IOC_DIR(request) == _IOC_NONE) {
    uint64_t integer;
    if (!TakeInteger(info, 2, "argument", &integer)) return {};
    if (has_pointee) {
      RefuseType(info.Env(), "pointee", "undefined where the request takes an integer");
      return {};
    }
    return Answer(info.Env(), Call(fd, request, static_cast<unsigned long>(integer)));
  }

  Span<uint8_t> argument;
  if (!TakeBytes(info, 2, "argument", _IOC_SIZE(request), &argument)) return {};
  if (!has_pointee) {
    uint8_t* const copy = argument_.Fill({argument.data, argument.size});
    const int result = Call(fd, request, copy);
    Drain(copy, argument);
    return Answer(info.Env(), result);
  }

  Span<uint8_t> pointee;
  uint32_t offset;
  if (!TakeBytes(info, 3, "pointee", 0, &pointee) || !TakeU32(info, 4, "offset", &offset)) return {};
  if (uint64_t{offset} + sizeof(uint64_t) > argument.size) {
    RefuseRange(info.Env(), "offset", "that of eight bytes within the argument");
    return {};
  }
  uint8_t* const copy = argument_.Fill({argument.data, argument.size});
  uint8_t* const pointee_copy = pointee_.Fill({pointee.data, pointee.size});
  const uint64_t address = reinterpret_cast<uintptr_t>(pointee_copy);
  uint8_t* const field = copy + offset;
  uint64_t former;
  memcpy(&former, field, sizeof former);
  memcpy(field, &address, sizeof address);
  const int result = Call(fd, request, copy);
  memcpy(field, &former, sizeof former);  // JavaScript learns no address
  Drain(copy, argument);
  Drain(pointee_copy, pointee);
  return Answer(info.Env(), result);
}

// create(fd, request, argument[, mapped]): of what it makes, `mapped` bytes are what a vCPU shares with its program.
Napi::Value Module::Create(const Napi::CallbackInfo& info) {
  Descriptor* descriptor = nullptr;
  uint32_t request;
  uint64_t argument;
  if (!TakeDescriptor(info, &descriptor) || !TakeRequest(info, &request)) return {};
  if (!IsCreator(request)) {
    RefuseRange(info.Env(), "request", "KVM_CREATE_VM or KVM_CREATE_VCPU");
    return {};
  }
  if (!TakeU64(info, 2, "argument", &argument)) return {};
  uint32_t mapped = 0;
  if (!info[3].IsUndefined() && !TakeU32(info, 3, "mapped", &mapped)) return {};
  if (mapped != 0 && (mapped < kLeastMapped || mapped > kMostMapped)) {
    RefuseRange(info.Env(), "mapped", "0, or from 4 KiB to 1 MiB");
    return {};
  }
  int result;
  // KVM_CREATE_VM answers EINTR when a signal is pending while it registers its MMU notifier.
  do {
    result = Call(descriptor->fd, request, static_cast<unsigned long>(argument));
  } while (result == -EINTR);
  if (result < 0) return Answer(info.Env(), result);
  std::unique_ptr<RunArea> area;
  if (mapped != 0) {
    area = std::make_unique<RunArea>(result, mapped);
    if (!area->ok()) {
      const int fault = -errno;
      close(result);
      return Answer(info.Env(), fault);
    }
  }
  const bool is_vm = request == KVM_CREATE_VM;
  return Adopt(info.Env(), result, is_vm ? Shared<MemorySlots>(new MemorySlots(info.Env())) : descriptor->memory,
               std::move(area));
}

// createDevice(fd, type, flags): the one request that answers a descriptor in its struct.
Napi::Value Module::CreateDevice(const Napi::CallbackInfo& info) {
  Descriptor* descriptor = nullptr;
  kvm_create_device device = {};
  if (!TakeDescriptor(info, &descriptor) || !TakeU32(info, 1, "type", &device.type) ||
      !TakeU32(info, 2, "flags", &device.flags)) {
    return {};
  }
  const int result = Call(descriptor->fd, KVM_CREATE_DEVICE, &device);
  if (result < 0 || (device.flags & KVM_CREATE_DEVICE_TEST) != 0) return Answer(info.Env(), result);
  return Adopt(info.Env(), static_cast<int>(device.fd), descriptor->memory, nullptr);
}
