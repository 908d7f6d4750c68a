#include "module.h"

#include <unistd.h>

namespace {

// The contract with lib/native/addon.ts. Raised when either side would misunderstand the other.
constexpr int kAbi = 3;

}  // namespace

Module::Module(Napi::Env env, Napi::Object exports) : is_main_(ThisThread() == getpid()) {
  if (!argument_.ok() || !pointee_.ok()) {
    napi_throw_error(env, "ENOMEM", "kvm_arm64: no memory for the buffers that the kernel writes to");
    return;
  }
  DefineAddon(exports, {
                           InstanceValue("abi", Napi::Number::New(env, kAbi), napi_enumerable),
                           InstanceValue("pageSize", Napi::Number::New(env, sysconf(_SC_PAGESIZE)), napi_enumerable),
                           InstanceMethod("open", &Module::Open, napi_enumerable),
                           InstanceMethod("close", &Module::Close, napi_enumerable),
                           InstanceMethod("ioctl", &Module::Ioctl, napi_enumerable),
                           InstanceMethod("create", &Module::Create, napi_enumerable),
                           InstanceMethod("createDevice", &Module::CreateDevice, napi_enumerable),
                           InstanceMethod("createEventFd", &Module::CreateEventFd, napi_enumerable),
                           InstanceMethod("signalEventFd", &Module::SignalEventFd, napi_enumerable),
                           InstanceMethod("takeEventFd", &Module::TakeEventFd, napi_enumerable),
                           InstanceMethod("watchEventFd", &Module::WatchEventFd, napi_enumerable),
                           InstanceMethod("fdNumber", &Module::FdNumber, napi_enumerable),
                           InstanceMethod("run", &Module::Run, napi_enumerable),
                           InstanceMethod("start", &Module::Start, napi_enumerable),
                           InstanceMethod("kick", &Module::Kick, napi_enumerable),
                           InstanceMethod("setUserMemoryRegion", &Module::SetUserMemoryRegion, napi_enumerable),
                           InstanceMethod("getOneReg", &Module::GetOneReg, napi_enumerable),
                           InstanceMethod("setOneReg", &Module::SetOneReg, napi_enumerable),
                           InstanceMethod("getRegList", &Module::GetRegList, napi_enumerable),
                           InstanceMethod("getRegs", &Module::GetRegs, napi_enumerable),
                           InstanceMethod("setRegs", &Module::SetRegs, napi_enumerable),
                       });
}

NODE_API_ADDON(Module)
