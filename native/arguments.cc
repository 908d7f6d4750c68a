#include "arguments.h"

#include <cstdio>

namespace {

using Thrower = napi_status (*)(napi_env, const char* code, const char* message);

bool Refuse(napi_env env, Thrower raise, const char* code, const char* name, const char* expected) {
  char message[160];
  snprintf(message, sizeof message, "%s must be %s", name, expected);
  raise(env, code, message);
  return false;
}

template <typename T>
bool TakeView(const Napi::CallbackInfo& info, size_t index, const char* name, napi_typedarray_type wanted,
              const char* expected, Span<T>* view) {
  napi_typedarray_type type;
  void* data;
  // The status, too, tells that this is no typed array.
  if (napi_get_typedarray_info(info.Env(), info[index], &type, &view->size, &data, nullptr, nullptr) !=
          napi_ok ||
      type != wanted) {
    return RefuseType(info.Env(), name, expected);
  }
  view->data = static_cast<T*>(data);
  return true;
}

}  // namespace

bool RefuseType(napi_env env, const char* name, const char* expected) {
  return Refuse(env, napi_throw_type_error, "ERR_INVALID_ARG_TYPE", name, expected);
}

bool RefuseValue(napi_env env, const char* name, const char* expected) {
  return Refuse(env, napi_throw_type_error, "ERR_INVALID_ARG_VALUE", name, expected);
}

bool RefuseRange(napi_env env, const char* name, const char* expected) {
  return Refuse(env, napi_throw_range_error, "ERR_OUT_OF_RANGE", name, expected);
}

bool IsShared(napi_env env, napi_value array) {
  napi_value buffer;
  bool owned = true;
  // Node-API 9 knows a SharedArrayBuffer only as a buffer that is no ArrayBuffer.
  return napi_get_typedarray_info(env, array, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
         napi_is_arraybuffer(env, buffer, &owned) == napi_ok && !owned;
}

bool TakeU32(const Napi::CallbackInfo& info, size_t index, const char* name, uint32_t* value) {
  double number;
  if (napi_get_value_double(info.Env(), info[index], &number) != napi_ok) {
    return RefuseType(info.Env(), name, "a number");
  }
  // Compared before the conversion, which is undefined for a double out of range. NaN fails, too.
  if (!(number >= 0 && number <= UINT32_MAX) || number != static_cast<uint32_t>(number)) {
    return RefuseRange(info.Env(), name, "an integer from 0 to 2^32-1");
  }
  *value = static_cast<uint32_t>(number);
  return true;
}

bool TakeU64(const Napi::CallbackInfo& info, size_t index, const char* name, uint64_t* value) {
  bool lossless;
  if (napi_get_value_bigint_uint64(info.Env(), info[index], value, &lossless) != napi_ok) {
    return RefuseType(info.Env(), name, "a bigint");
  }
  return lossless || RefuseRange(info.Env(), name, "a bigint from 0 to 2^64-1");
}

bool TakeArray(const Napi::CallbackInfo& info, size_t index, const char* name, Span<uint8_t>* bytes) {
  return TakeView(info, index, name, napi_uint8_array, "a Uint8Array", bytes);
}

bool TakeArray(const Napi::CallbackInfo& info, size_t index, const char* name, Span<int32_t>* numbers) {
  return TakeView(info, index, name, napi_int32_array, "an Int32Array", numbers);
}

bool TakeArray(const Napi::CallbackInfo& info, size_t index, const char* name, Span<uint64_t>* words) {
  return TakeView(info, index, name, napi_biguint64_array, "a BigUint64Array", words);
}
