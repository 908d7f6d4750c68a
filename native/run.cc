// KVM_RUN, on the calling thread or on one of the vCPU's own.
#include "arguments.h"
#include "kick.h"
#include "module.h"
#include "run_area.h"
#include "run_thread.h"

namespace {

// Whether JavaScript may still be called: not once its thread is being terminated.
bool CanCallJs(Napi::Env env) {
  napi_value global;
  bool has;
  return napi_get_global(env, &global) == napi_ok &&
         napi_has_named_property(env, global, "Object", &has) == napi_ok;
}

}  // namespace

bool Module::TakeRunArea(const Napi::CallbackInfo& info, Span<uint8_t>* bytes) {
  return TakeArray(info, 1, "bytes", bytes) &&
         (bytes->size >= RunArea::kUnionEnd ||
          RefuseRange(info.Env(), "bytes", "as long as the common part of struct kvm_run"));
}

// Why a descriptor cannot run now; 0 where it can.
int Module::Descriptor::CannotRun() const {
  if (area == nullptr) return fd < 0 ? -EBADF : -ENOTTY;
  return thread && thread->running() ? -EBUSY : 0;
}

// run(fd, bytes)
Napi::Value Module::Run(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Descriptor* vcpu = nullptr;
  Span<uint8_t> bytes;
  if (!TakeDescriptor(info, &vcpu) || !TakeRunArea(info, &bytes)) return {};
  if (const int fault = vcpu->CannotRun(); fault != 0) return Answer(env, fault);
  // Signals that JavaScript handles come to the main thread, which nobody else can terminate. Any other thread goes on
  // after a signal, and looks whether it still may.
  if (!is_main_ && watched_ == nullptr) watched_ = std::make_unique<WatchedThread>();
  vcpu->area->CopyIn({bytes.data, bytes.size});
  int result;
  bool kicked;
  if (!is_main_) watched_->Enter();
  do {
    kicked = vcpu->area->immediate_exit();
    result = vcpu->area->Run(vcpu->fd);
  } while (result == -EINTR && !is_main_ && !kicked && CanCallJs(env));
  if (!is_main_) watched_->Leave();
  vcpu->area->SetImmediateExit(false);
  vcpu->area->CopyOut(bytes);
  return Answer(env, result);
}

// start(fd, bytes, done)
Napi::Value Module::Start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Descriptor* vcpu = nullptr;
  Span<uint8_t> bytes;
  if (!TakeDescriptor(info, &vcpu) || !TakeRunArea(info, &bytes)) return {};
  if (!info[2].IsFunction()) {
    RefuseType(env, "done", "a function");
    return {};
  }
  if (const int fault = vcpu->CannotRun(); fault != 0) return Answer(env, fault);
  if (!vcpu->thread) vcpu->thread = RunThread::Make(env, vcpu->fd, vcpu->area.get());
  if (!vcpu->thread) return Answer(env, -EAGAIN);
  vcpu->area->CopyIn({bytes.data, bytes.size});
  return vcpu->thread->Begin(info[1], info[2]) ? Answer(env, 0) : Napi::Value();
}

// kick(fd)
Napi::Value Module::Kick(const Napi::CallbackInfo& info) {
  Descriptor* vcpu = nullptr;
  if (!TakeDescriptor(info, &vcpu)) return {};
  if (vcpu->area == nullptr) return Answer(info.Env(), vcpu->fd < 0 ? -EBADF : -ENOTTY);
  vcpu->area->SetImmediateExit(true);
  if (vcpu->thread) vcpu->thread->Interrupt();
  return Answer(info.Env(), 0);
}
