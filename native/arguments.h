// What a call was given, and what it answers. Each Take function takes one argument; on false a TypeError or
// RangeError is pending, with Node's codes, and the caller returns at once.
#ifndef KVM_ARM64_ARGUMENTS_H
#define KVM_ARM64_ARGUMENTS_H

#include <napi.h>

#include "bounce.h"

// The argument's name is part of the message: "<name> must be <expected>".
bool RefuseType(napi_env env, const char* name, const char* expected);
bool RefuseValue(napi_env env, const char* name, const char* expected);
bool RefuseRange(napi_env env, const char* name, const char* expected);

bool TakeU32(const Napi::CallbackInfo& info, size_t index, const char* name, uint32_t* value);
bool TakeU64(const Napi::CallbackInfo& info, size_t index, const char* name, uint64_t* value);

// The views stay good until JavaScript runs again. They may lie on shared memory: other threads can change
// the contents, never the address.
bool TakeArray(const Napi::CallbackInfo& info, size_t index, const char* name, Span<uint8_t>* bytes);
bool TakeArray(const Napi::CallbackInfo& info, size_t index, const char* name, Span<int32_t>* numbers);
bool TakeArray(const Napi::CallbackInfo& info, size_t index, const char* name, Span<uint64_t>* words);

// Whether a typed array lies on a SharedArrayBuffer, whose memory stays where it is for as long as somebody refers to it.
bool IsShared(napi_env env, napi_value array);

// The kernel's result, or -errno. Napi::Number::New() would make a double, which costs more.
inline Napi::Value Answer(napi_env env, int result) {
  napi_value value = nullptr;
  napi_create_int32(env, result, &value);
  return {env, value};
}

#endif
