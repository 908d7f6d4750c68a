// The part of libuv that this addon calls. The headers of Node-API, which the addon for other machines is built with, lack
// it; the functions are Node's own. Nothing here depends on the layout of a handle, whose size is asked for.
#ifndef KVM_ARM64_UV_POLL_H
#define KVM_ARM64_UV_POLL_H

#include <cstddef>

extern "C" {
struct uv_loop_s;
struct uv_handle_s;
struct uv_poll_s;

// Members of uv_handle_type and uv_poll_event (uv.h).
constexpr int kUvPoll = 8;
constexpr int kUvReadable = 1;

size_t uv_handle_size(int type);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_handle_set_data(uv_handle_s* handle, void* data);
void uv_unref(uv_handle_s* handle);
void uv_close(uv_handle_s* handle, void (*done)(uv_handle_s* handle));
int uv_poll_init(uv_loop_s* loop, uv_poll_s* handle, int fd);
int uv_poll_start(uv_poll_s* handle, int events, void (*on_event)(uv_poll_s* handle, int status, int events));
}

#endif
