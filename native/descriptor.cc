// Descriptors: of /dev/kvm, a VM, a vCPU, a device, or an eventfd. Which of KVM's it is, the kernel knows.
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <utility>

#include "arguments.h"
#include "module.h"

// open(path)
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
  return Adopt(env, fd, {}, nullptr);
}

// close(fd)
void Module::Close(const Napi::CallbackInfo& info) {
  Descriptor* descriptor = nullptr;
  if (TakeDescriptor(info, &descriptor)) descriptor->Close();
}

void Module::Descriptor::Close() {
  if (thread) thread->Stop();
  thread = {};
  area.reset();
  StopWatch();
  // Forgotten before it is closed, so that no second close can hit a descriptor that took its number.
  if (const int former = std::exchange(fd, -1); former >= 0) close(former);
  memory = {};
}

void Module::Descriptor::StopWatch() {
  if (watch) watch->Stop();
  watch = {};
}

// The external that owns a descriptor. It closes when it is collected, or when the environment ends.
Napi::Value Module::Adopt(Napi::Env env, int fd, Shared<MemorySlots> memory,
                          std::unique_ptr<RunArea> area, bool is_event) {
  Descriptor* descriptor =
      new Descriptor{fd, this, std::move(memory), std::move(area), {}, is_event, {}};
  descriptors_.insert(descriptor);
  napi_value external;
  if (napi_create_external(env, descriptor, Finalize, nullptr, &external) != napi_ok) {
    Finalize(env, descriptor, nullptr);  // an environment that is being torn down creates nothing
    return {};
  }
  return {env, external};
}

void Module::Finalize(napi_env, void* data, void*) {
  Descriptor* descriptor = static_cast<Descriptor*>(data);
  descriptor->Close();
  if (descriptor->owner != nullptr) descriptor->owner->descriptors_.erase(descriptor);
  delete descriptor;
}

// Node does not say which goes first when an environment ends, its instance data or its externals.
Module::~Module() {
  for (const void* data : descriptors_) {
    static_cast<Descriptor*>(const_cast<void*>(data))->owner = nullptr;
  }
}

bool Module::TakeDescriptor(const Napi::CallbackInfo& info, Descriptor** descriptor) const {
  void* data;
  if (napi_get_value_external(info.Env(), info[0], &data) != napi_ok || descriptors_.count(data) == 0) {
    return RefuseType(info.Env(), "fd", "a descriptor of this addon");
  }
  *descriptor = static_cast<Descriptor*>(data);
  return true;
}

bool Module::TakeFd(const Napi::CallbackInfo& info, int* fd) const {
  Descriptor* descriptor = nullptr;
  if (!TakeDescriptor(info, &descriptor)) return false;
  *fd = descriptor->fd;
  return true;
}
