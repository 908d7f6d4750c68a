#include "module.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "arguments.h"
#include "fd.h"

namespace {

// The contract with lib/native/addon.ts. Raised when either side would misunderstand the other.
constexpr int kAbi = 1;

}  // namespace

Module::Module(Napi::Env env, Napi::Object exports) {
  if (!argument_.ok() || !pointee_.ok()) {
    napi_throw_error(env, "ENOMEM", "kvm_arm64: no memory for the buffers that the kernel writes to");
    return;
  }
  Napi::Function fd_class = Fd::Define(env);
  fd_class_ = Napi::Persistent(fd_class);
  DefineAddon(exports, {
                           InstanceValue("abi", Napi::Number::New(env, kAbi), napi_enumerable),
                           InstanceValue("Fd", fd_class, napi_enumerable),
                           InstanceMethod("open", &Module::Open, napi_enumerable),
                       });
}

Napi::Value Module::Adopt(int fd) {
  offered_ = fd;
  Napi::Value object = fd_class_.New(std::initializer_list<napi_value>{});
  // An environment that is being torn down constructs nothing.
  if (const int left = TakeOffered(); left >= 0) close(left);
  return object;
}

int Module::TakeOffered() { return std::exchange(offered_, -1); }

Napi::Value Module::Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  size_t length;
  if (napi_get_value_string_utf8(env, info[0], nullptr, 0, &length) != napi_ok) {
    RefuseType(env, "path", "a string");
    return {};
  }
  char path[PATH_MAX];
  if (length >= sizeof path) return Answer(env, -ENAMETOOLONG);
  napi_get_value_string_utf8(env, info[0], path, sizeof path, nullptr);
  if (strlen(path) != length) {
    RefuseValue(env, "path", "a string without null bytes");
    return {};
  }
  const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return Answer(env, -errno);
  return Adopt(fd);
}

NODE_API_ADDON(Module)
