// A JavaScript function that is called for as long as a descriptor can be read, by the event loop itself.
#ifndef KVM_ARM64_EVENT_WATCH_H
#define KVM_ARM64_EVENT_WATCH_H

#include <napi.h>

#include "shared.h"
#include "uv_poll.h"

// Does not keep the loop alive. Every method belongs to the thread of JavaScript.
class EventWatch {
 public:
  // None, with -errno in `fault`, where libuv refuses.
  static Shared<EventWatch> Make(napi_env env, int fd, int* fault);
  EventWatch(const EventWatch&) = delete;
  EventWatch& operator=(const EventWatch&) = delete;

  // What is called from now on. False with an exception pending where that cannot be.
  bool SetFunction(napi_value on_signal);
  // Before the descriptor is closed. May be called again.
  void Stop();

 private:
  explicit EventWatch(napi_env env) : env_(env) {}
  static void OnReadable(uv_poll_s* poll, int status, int events);
  static void OnClosed(uv_handle_s* handle);
  static void EnvironmentEnds(napi_async_cleanup_hook_handle hook, void* self);
  void Call();

  const napi_env env_;
  uv_handle_s* handle_ = nullptr;  // libuv's, and freed when it says so; none once it is stopped
  napi_async_cleanup_hook_handle hook_ = nullptr;
  napi_ref on_signal_ = nullptr;
};

#endif
