// A descriptor of KVM: of /dev/kvm, a VM or a vCPU. Which one it is, the kernel knows.
#ifndef KVM_ARM64_FD_H
#define KVM_ARM64_FD_H

#include <napi.h>
#include <sys/ioctl.h>

#include <cerrno>

class Module;

// Every method answers as the system call does: zero or more, or the negative errno as a number. It throws
// only for arguments of the wrong type or range. After close() the kernel itself answers -EBADF.
class Fd : public Napi::ObjectWrap<Fd> {
 public:
  static Napi::Function Define(Napi::Env env);

  // Takes the descriptor that Module::Adopt() holds out; JavaScript cannot construct one.
  explicit Fd(const Napi::CallbackInfo& info);
  ~Fd() override;

 private:
  // fd.cc
  Napi::Value Ioctl(const Napi::CallbackInfo& info);
  Napi::Value Create(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  // registers.cc
  Napi::Value GetOneReg(const Napi::CallbackInfo& info);
  Napi::Value SetOneReg(const Napi::CallbackInfo& info);
  Napi::Value GetRegList(const Napi::CallbackInfo& info);
  Napi::Value GetRegs(const Napi::CallbackInfo& info);
  Napi::Value SetRegs(const Napi::CallbackInfo& info);
  int OneReg(unsigned long request, uint64_t id) const;

  template <typename Argument>
  int Call(unsigned long request, Argument argument) const {
    const int result = ioctl(fd_, request, argument);
    return result < 0 ? -errno : result;
  }

  void Release();

  Module* module_;
  int fd_;
};

#endif
