// Eventfds (eventfd(2)), by which the kernel and JavaScript signal each other without a system call of a vCPU.
#include <sys/eventfd.h>
#include <unistd.h>

#include "arguments.h"
#include "module.h"

namespace {

int ResultOf(ssize_t done) { return done < 0 ? -errno : 0; }

}  // namespace

// Only eventfds are read and watched: to read from another descriptor may block, or take something away.
int Module::Descriptor::CannotSignal() const {
  if (fd < 0) return -EBADF;
  return is_event ? 0 : -EINVAL;
}

// createEventFd(fd)
Napi::Value Module::CreateEventFd(const Napi::CallbackInfo& info) {
  int fd;
  if (!TakeFd(info, &fd)) return {};
  if (fd < 0) return Answer(info.Env(), -EBADF);
  const int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event < 0) return Answer(info.Env(), -errno);
  return Adopt(info.Env(), event, {}, nullptr, true);
}

// signalEventFd(fd)
Napi::Value Module::SignalEventFd(const Napi::CallbackInfo& info) {
  Descriptor* event = nullptr;
  if (!TakeDescriptor(info, &event)) return {};
  if (const int fault = event->CannotSignal(); fault != 0) return Answer(info.Env(), fault);
  const uint64_t one = 1;
  return Answer(info.Env(), ResultOf(write(event->fd, &one, sizeof one)));
}

// takeEventFd(fd)
Napi::Value Module::TakeEventFd(const Napi::CallbackInfo& info) {
  Descriptor* event = nullptr;
  if (!TakeDescriptor(info, &event)) return {};
  if (const int fault = event->CannotSignal(); fault != 0) return Answer(info.Env(), fault);
  uint64_t counter;
  if (const int fault = ResultOf(read(event->fd, &counter, sizeof counter)); fault != 0) {
    return Answer(info.Env(), fault);
  }
  napi_value value = nullptr;
  napi_create_bigint_uint64(info.Env(), counter, &value);
  return {info.Env(), value};
}

// watchEventFd(fd, onSignal): undefined ends it.
Napi::Value Module::WatchEventFd(const Napi::CallbackInfo& info) {
  Descriptor* event = nullptr;
  if (!TakeDescriptor(info, &event)) return {};
  if (!info[1].IsUndefined() && !info[1].IsFunction()) {
    RefuseType(info.Env(), "onSignal", "a function or undefined");
    return {};
  }
  if (const int fault = event->CannotSignal(); fault != 0) return Answer(info.Env(), fault);
  if (info[1].IsUndefined()) {
    event->StopWatch();
    return Answer(info.Env(), 0);
  }
  int fault = 0;
  if (!event->watch) event->watch = EventWatch::Make(info.Env(), event->fd, &fault);
  if (fault != 0) return Answer(info.Env(), fault);
  return event->watch->SetFunction(info[1]) ? Answer(info.Env(), 0) : Napi::Value();
}

// fdNumber(fd)
Napi::Value Module::FdNumber(const Napi::CallbackInfo& info) {
  int fd;
  return TakeFd(info, &fd) ? Answer(info.Env(), fd) : Napi::Value();
}
