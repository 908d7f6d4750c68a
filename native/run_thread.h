// The thread of a vCPU that runs while JavaScript goes on.
#ifndef KVM_ARM64_RUN_THREAD_H
#define KVM_ARM64_RUN_THREAD_H

#include <napi.h>
#include <pthread.h>

#include <atomic>

#include "run_area.h"
#include "shared.h"

// It stays for the life of the vCPU: KVM makes a vCPU wait for all CPUs when it comes to another thread. Every method
// belongs to the thread of JavaScript.
class RunThread {
 public:
  // None where the system or the environment has no more threads to give.
  static Shared<RunThread> Make(napi_env env, int fd, RunArea* area);
  RunThread(const RunThread&) = delete;
  RunThread& operator=(const RunThread&) = delete;

  bool running() const { return running_; }

  // Runs the vCPU. Then `bytes`, of RunArea::kUnionEnd at least, get what the run left, and `done` is called with its
  // result; unless Stop() came first. False with an exception pending where that cannot be.
  bool Begin(napi_value bytes, napi_value done);
  // Ends the run that goes on, if one does.
  void Interrupt();
  // Ends the run and the thread; waits for it. May be called again.
  void Stop();

 private:
  RunThread(napi_env env, int fd, RunArea* area) : env_(env), fd_(fd), area_(area) {}
  static void* Start(void* self);
  void Loop();
  static void EnvironmentEnds(void* self);
  static void CallJs(napi_env env, napi_value, void* self, void*);
  void Complete();
  void Forget();
  void Ask(bool for_end);
  void Join();

  const napi_env env_;
  const int fd_;
  RunArea* const area_;
  napi_threadsafe_function done_queue_ = nullptr;
  pthread_t thread_ = {};
  bool joined_ = true;
  std::atomic<pid_t> tid_{0};  // 0 until it has begun
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t asked_ = PTHREAD_COND_INITIALIZER;
  bool run_asked_ = false;
  bool end_asked_ = false;
  bool running_ = false;
  int result_ = 0;
  napi_ref bytes_ = nullptr;
  napi_ref done_ = nullptr;
};

#endif
