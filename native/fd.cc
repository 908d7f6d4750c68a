#include "fd.h"

#include <linux/kvm.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "arguments.h"
#include "module.h"

namespace {

// The requests that answer a new descriptor. A closed list: to own the result of any other would be to
// close, sooner or later, a descriptor of somebody else.
constexpr uint32_t kCreators[] = {KVM_CREATE_VM, KVM_CREATE_VCPU};

bool IsCreator(uint32_t request) {
  for (const uint32_t creator : kCreators) {
    if (creator == request) return true;
  }
  return false;
}

bool TakeRequest(const Napi::CallbackInfo& info, uint32_t* request) {
  if (!TakeU32(info, 0, "request", request)) return false;
  return _IOC_TYPE(*request) == KVMIO || RefuseRange(info.Env(), "request", "of KVM (type byte 0xAE)");
}

// Bytes that fit the bounce buffer, and are no fewer than the kernel will certainly touch.
bool TakeBytes(const Napi::CallbackInfo& info, size_t index, const char* name, size_t least,
               Span<uint8_t>* bytes) {
  if (!TakeArray(info, index, name, bytes)) return false;
  if (bytes->size < least) return RefuseRange(info.Env(), name, "as long as the struct of the request");
  return bytes->size <= Bounce::kSize || RefuseRange(info.Env(), name, "64 KiB long at most");
}

}  // namespace

Napi::Function Fd::Define(Napi::Env env) {
  return DefineClass(env, "Fd",
                     {
                         InstanceMethod("ioctl", &Fd::Ioctl),
                         InstanceMethod("create", &Fd::Create),
                         InstanceMethod("getOneReg", &Fd::GetOneReg),
                         InstanceMethod("setOneReg", &Fd::SetOneReg),
                         InstanceMethod("getRegList", &Fd::GetRegList),
                         InstanceMethod("getRegs", &Fd::GetRegs),
                         InstanceMethod("setRegs", &Fd::SetRegs),
                         InstanceMethod("close", &Fd::Close),
                     });
}

Fd::Fd(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Fd>(info), module_(info.Env().GetInstanceData<Module>()), fd_(module_->TakeOffered()) {
  if (fd_ < 0) napi_throw_type_error(info.Env(), "ERR_ILLEGAL_CONSTRUCTOR", "Fd cannot be constructed");
}

// Runs for a collected object, and for all that are left when the environment ends.
Fd::~Fd() { Release(); }

void Fd::Release() {
  // Forgotten before it is closed, so that no second close can hit a descriptor that took its number.
  if (const int fd = std::exchange(fd_, -1); fd >= 0) close(fd);
}

void Fd::Close(const Napi::CallbackInfo&) { Release(); }

// ioctl(request, argument[, pointee, offset]): an integer, or a struct, which may hold at `offset` the
// address of further bytes. Only this function makes addresses; the direction bits of the request decide
// which of the two it takes, so an integer never passes for one.
Napi::Value Fd::Ioctl(const Napi::CallbackInfo& info) {
  uint32_t request;
  if (!TakeRequest(info, &request)) return {};
  const bool has_pointee = info.Length() > 2 && !info[2].IsUndefined();

  if (_IOC_DIR(request) == _IOC_NONE) {
    uint64_t integer;
    if (!TakeU64(info, 1, "argument", &integer)) return {};
    if (has_pointee) {
      RefuseType(info.Env(), "pointee", "undefined where the request takes an integer");
      return {};
    }
    return Answer(info.Env(), Call(request, static_cast<unsigned long>(integer)));
  }

  Span<uint8_t> argument;
  if (!TakeBytes(info, 1, "argument", _IOC_SIZE(request), &argument)) return {};
  Bounce& bounce = module_->argument();
  if (!has_pointee) {
    bounce.Fill({argument.data, argument.size});
    const int result = Call(request, bounce.bytes());
    bounce.Drain(argument);
    return Answer(info.Env(), result);
  }

  Span<uint8_t> pointee;
  uint32_t offset;
  if (!TakeBytes(info, 2, "pointee", 0, &pointee) || !TakeU32(info, 3, "offset", &offset)) return {};
  uint64_t address = reinterpret_cast<uintptr_t>(module_->pointee().bytes());
  if (uint64_t{offset} + sizeof address > argument.size) {
    RefuseRange(info.Env(), "offset", "that of eight bytes within the argument");
    return {};
  }
  bounce.Fill({argument.data, argument.size});
  module_->pointee().Fill({pointee.data, pointee.size});
  uint8_t* const field = bounce.bytes() + offset;
  uint64_t former;
  memcpy(&former, field, sizeof former);
  memcpy(field, &address, sizeof address);
  const int result = Call(request, bounce.bytes());
  memcpy(field, &former, sizeof former);  // JavaScript learns no address
  bounce.Drain(argument);
  module_->pointee().Drain(pointee);
  return Answer(info.Env(), result);
}

// create(request, argument)
Napi::Value Fd::Create(const Napi::CallbackInfo& info) {
  uint32_t request;
  uint64_t argument;
  if (!TakeRequest(info, &request)) return {};
  if (!IsCreator(request)) {
    RefuseRange(info.Env(), "request", "KVM_CREATE_VM or KVM_CREATE_VCPU");
    return {};
  }
  if (!TakeU64(info, 1, "argument", &argument)) return {};
  int result;
  // KVM_CREATE_VM answers EINTR when a signal is pending while it registers its MMU notifier.
  do {
    result = Call(request, static_cast<unsigned long>(argument));
  } while (result == -EINTR);
  if (result < 0) return Answer(info.Env(), result);
  return module_->Adopt(result);
}
