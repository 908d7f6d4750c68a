// What one environment (the main thread, or a worker) has of this addon.
#ifndef KVM_ARM64_MODULE_H
#define KVM_ARM64_MODULE_H

#include <napi.h>

#include "bounce.h"

class Module : public Napi::Addon<Module> {
 public:
  Module(Napi::Env env, Napi::Object exports);

  // A new Fd that owns this descriptor.
  Napi::Value Adopt(int fd);
  // For the constructor of Fd: the descriptor that Adopt() holds out, or -1 for anybody else's `new`.
  int TakeOffered();

  Bounce& argument() { return argument_; }
  Bounce& pointee() { return pointee_; }

 private:
  Napi::Value Open(const Napi::CallbackInfo& info);

  Napi::FunctionReference fd_class_;
  int offered_ = -1;
  Bounce argument_;
  Bounce pointee_;
};

#endif
