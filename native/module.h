// What one environment (the main thread, or a worker) has of this addon.
//
// The functions are flat, `ioctl(fd, request, argument)`, and a descriptor is an opaque external: to unwrap the
// `this` of a method costs Node more than all the rest of a call.
#ifndef KVM_ARM64_MODULE_H
#define KVM_ARM64_MODULE_H

#include <napi.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <memory>
#include <set>

#include "bounce.h"
#include "event_watch.h"
#include "kick.h"
#include "memory.h"
#include "run_area.h"
#include "run_thread.h"
#include "shared.h"

class Module : public Napi::Addon<Module> {
 public:
  Module(Napi::Env env, Napi::Object exports);
  ~Module();

 private:
  struct Descriptor {
    int fd;
    Module* owner;
    // The memory of the VM that it is, or that it belongs to: whatever keeps a VM alive keeps its memory.
    Shared<MemorySlots> memory;
    // Those of a vCPU: what it shares with its program, and its thread, from the first run there on.
    std::unique_ptr<RunArea> area;
    Shared<RunThread> thread;
    // Those of an eventfd.
    bool is_event;
    Shared<EventWatch> watch;
    int CannotRun() const;
    int CannotSignal() const;
    void StopWatch();
    void Close();
  };

  // Every function answers as the system call does: zero or more, or the negative errno. It throws only for
  // arguments of the wrong type or range. After close() the kernel itself answers -EBADF.

  // descriptor.cc
  Napi::Value Open(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  Napi::Value Adopt(Napi::Env env, int fd, Shared<MemorySlots> memory, std::unique_ptr<RunArea> area,
                    bool is_event = false);
  bool TakeDescriptor(const Napi::CallbackInfo& info, Descriptor** descriptor) const;
  bool TakeFd(const Napi::CallbackInfo& info, int* fd) const;
  static void Finalize(napi_env env, void* data, void* hint);

  // ioctl.cc
  Napi::Value Ioctl(const Napi::CallbackInfo& info);
  Napi::Value Create(const Napi::CallbackInfo& info);
  Napi::Value CreateDevice(const Napi::CallbackInfo& info);

  // event_fd.cc
  Napi::Value CreateEventFd(const Napi::CallbackInfo& info);
  Napi::Value SignalEventFd(const Napi::CallbackInfo& info);
  Napi::Value TakeEventFd(const Napi::CallbackInfo& info);
  Napi::Value WatchEventFd(const Napi::CallbackInfo& info);
  Napi::Value FdNumber(const Napi::CallbackInfo& info);

  // memory.cc
  Napi::Value SetUserMemoryRegion(const Napi::CallbackInfo& info);

  // run.cc
  Napi::Value Run(const Napi::CallbackInfo& info);
  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value Kick(const Napi::CallbackInfo& info);
  static bool TakeRunArea(const Napi::CallbackInfo& info, Span<uint8_t>* bytes);

  // registers.cc
  Napi::Value GetOneReg(const Napi::CallbackInfo& info);
  Napi::Value SetOneReg(const Napi::CallbackInfo& info);
  Napi::Value GetRegList(const Napi::CallbackInfo& info);
  Napi::Value GetRegs(const Napi::CallbackInfo& info);
  Napi::Value SetRegs(const Napi::CallbackInfo& info);
  static int OneReg(int fd, unsigned long request, uint64_t id, const uint64_t* words);

  template <typename Argument>
  static int Call(int fd, unsigned long request, Argument argument) {
    const int result = ioctl(fd, request, argument);
    return result < 0 ? -errno : result;
  }

  // To tell our externals from those of other addons, and of other copies of this one. A std::unordered_set would
  // need GLIBCXX_3.4.29.
  std::set<const void*> descriptors_;
  // Whether this thread is the process's main one. Asked once: a system call between two runs costs a tenth of a run.
  const bool is_main_;
  // This thread, once it has run a vCPU itself; not where it is the process's main thread.
  std::unique_ptr<WatchedThread> watched_;
  Bounce argument_;
  Bounce pointee_;
};

#endif
