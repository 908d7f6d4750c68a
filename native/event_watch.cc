#include "event_watch.h"

#include <cerrno>
#include <cstdlib>

Shared<EventWatch> EventWatch::Make(napi_env env, int fd, int* fault) {
  *fault = -ENOMEM;
  uv_loop_s* loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return {};
  void* const handle = calloc(1, uv_handle_size(kUvPoll));
  if (handle == nullptr) return {};
  auto* const poll = static_cast<uv_poll_s*>(handle);
  *fault = uv_poll_init(loop, poll, fd);
  if (*fault != 0) {
    free(handle);
    return {};
  }
  EventWatch* const watch = new EventWatch(env);
  const Shared<EventWatch> self(watch);
  watch->handle_ = static_cast<uv_handle_s*>(handle);
  // Until libuv is done with the handle, which is later than Stop().
  uv_handle_set_data(watch->handle_, new Shared<EventWatch>(self));
  napi_add_async_cleanup_hook(env, EnvironmentEnds, watch, &watch->hook_);
  *fault = uv_poll_start(poll, kUvReadable, OnReadable);
  uv_unref(watch->handle_);
  if (*fault == 0) return self;
  watch->Stop();
  return {};
}

bool EventWatch::SetFunction(napi_value on_signal) {
  napi_ref reference;
  if (napi_create_reference(env_, on_signal, 1, &reference) != napi_ok) return false;
  if (on_signal_ != nullptr) napi_delete_reference(env_, on_signal_);
  on_signal_ = reference;
  return true;
}

void EventWatch::Stop() {
  if (handle_ == nullptr) return;
  if (on_signal_ != nullptr) napi_delete_reference(env_, on_signal_);
  on_signal_ = nullptr;
  uv_close(handle_, OnClosed);
  handle_ = nullptr;
}

void EventWatch::OnClosed(uv_handle_s* handle) {
  auto* const self = static_cast<Shared<EventWatch>*>(uv_handle_get_data(handle));
  // Not left to the destructor: the environment waits for this, and the descriptor, which has its share, for the environment.
  if (napi_async_cleanup_hook_handle& hook = (*self)->hook_; hook != nullptr) {
    napi_remove_async_cleanup_hook(hook);
    hook = nullptr;
  }
  delete self;
  free(handle);
}

// Node waits until the hook is removed.
void EventWatch::EnvironmentEnds(napi_async_cleanup_hook_handle, void* self) {
  static_cast<EventWatch*>(self)->Stop();
}

void EventWatch::OnReadable(uv_poll_s* poll, int, int) {
  const Shared<EventWatch> self =
      *static_cast<Shared<EventWatch>*>(uv_handle_get_data(reinterpret_cast<uv_handle_s*>(poll)));
  self->Call();
}

void EventWatch::Call() {
  Napi::HandleScope scope(env_);
  napi_value function = nullptr, global, ignored, error;
  if (on_signal_ == nullptr || napi_get_reference_value(env_, on_signal_, &function) != napi_ok ||
      napi_get_global(env_, &global) != napi_ok) {
    return;
  }
  if (napi_make_callback(env_, nullptr, global, function, 0, nullptr, &ignored) != napi_pending_exception) return;
  // As from any callback of Node's own.
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}
