#include "run_thread.h"

#include <sys/prctl.h>

#include "arguments.h"
#include "kick.h"

Shared<RunThread> RunThread::Make(napi_env env, int fd, RunArea* area) {
  RunThread* const thread = new RunThread(env, fd, area);
  const Shared<RunThread> self(thread);
  napi_value name;
  if (napi_create_string_utf8(env, "kvm_arm64 vCPU", NAPI_AUTO_LENGTH, &name) != napi_ok) return {};
  // The queue keeps the object until Node is done with it, which may be later than the vCPU is.
  auto* const kept = new Shared<RunThread>(self);
  const auto finalize = [](napi_env, void* data, void*) {
    auto* const kept = static_cast<Shared<RunThread>*>(data);
    (*kept)->done_queue_ = nullptr;
    delete kept;
  };
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, kept, finalize, thread, CallJs,
                                      &self->done_queue_) != napi_ok) {
    delete kept;
    return {};
  }
  napi_unref_threadsafe_function(env, self->done_queue_);

  self->joined_ = !StartThread(Start, thread, &self->thread_);
  if (self->joined_) {
    napi_release_threadsafe_function(self->done_queue_, napi_tsfn_abort);
    return {};
  }
  // After the queue was made, whose own hook is then called later: the thread must not outlive it.
  napi_add_env_cleanup_hook(env, EnvironmentEnds, thread);
  return self;
}

void* RunThread::Start(void* self) {
  static_cast<RunThread*>(self)->Loop();
  return nullptr;
}

void RunThread::Loop() {
  prctl(PR_SET_NAME, "kvm-vcpu");
  tid_ = ThisThread();
  for (;;) {
    pthread_mutex_lock(&mutex_);
    while (!run_asked_ && !end_asked_) pthread_cond_wait(&asked_, &mutex_);
    const bool runs = run_asked_;
    run_asked_ = false;
    pthread_mutex_unlock(&mutex_);
    if (!runs) return;
    result_ = area_->Run(fd_);
    area_->SetImmediateExit(false);
    napi_call_threadsafe_function(done_queue_, nullptr, napi_tsfn_nonblocking);
  }
}

void RunThread::Ask(bool for_end) {
  pthread_mutex_lock(&mutex_);
  (for_end ? end_asked_ : run_asked_) = true;
  pthread_cond_signal(&asked_);
  pthread_mutex_unlock(&mutex_);
}

bool RunThread::Begin(napi_value bytes, napi_value done) {
  if (napi_create_reference(env_, bytes, 1, &bytes_) != napi_ok ||
      napi_create_reference(env_, done, 1, &done_) != napi_ok ||
      napi_ref_threadsafe_function(env_, done_queue_) != napi_ok) {
    Forget();
    return false;
  }
  running_ = true;
  Ask(false);
  return true;
}

void RunThread::Interrupt() {
  // A thread that has not begun finds immediate_exit.
  if (const pid_t tid = tid_; running_ && !joined_ && tid != 0) Kick(tid);
}

void RunThread::CallJs(napi_env env, napi_value, void* self, void*) {
  if (env != nullptr) static_cast<RunThread*>(self)->Complete();
}

void RunThread::Complete() {
  if (!running_ || joined_) return;
  running_ = false;
  napi_unref_threadsafe_function(env_, done_queue_);
  napi_value bytes = nullptr, done = nullptr, undefined, result, ignored;
  napi_get_reference_value(env_, bytes_, &bytes);
  napi_get_reference_value(env_, done_, &done);
  Forget();
  // Asked again: it may have been detached meanwhile.
  Span<uint8_t> to;
  void* data = nullptr;
  napi_get_typedarray_info(env_, bytes, nullptr, &to.size, &data, nullptr, nullptr);
  to.data = static_cast<uint8_t*>(data);
  if (to.size > 0) area_->CopyOut(to);
  napi_get_undefined(env_, &undefined);
  napi_create_int32(env_, result_, &result);
  napi_call_function(env_, undefined, done, 1, &result, &ignored);
}

void RunThread::Forget() {
  for (napi_ref* reference : {&bytes_, &done_}) {
    if (*reference != nullptr) napi_delete_reference(env_, *reference);
    *reference = nullptr;
  }
}

void RunThread::Join() {
  if (joined_) return;
  Ask(true);
  area_->SetImmediateExit(true);
  Interrupt();
  JoinThread(thread_);
  joined_ = true;
}

void RunThread::EnvironmentEnds(void* self) { static_cast<RunThread*>(self)->Join(); }

void RunThread::Stop() {
  if (!joined_) napi_remove_env_cleanup_hook(env_, EnvironmentEnds, this);
  Join();
  running_ = false;
  Forget();
  if (done_queue_ != nullptr) napi_release_threadsafe_function(done_queue_, napi_tsfn_abort);
  done_queue_ = nullptr;
}
