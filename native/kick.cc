#include "kick.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>

#ifdef __aarch64__
// The names that they have since glibc 2.34, which newer headers choose, are unknown to older systems.
__asm__(".symver pthread_create, pthread_create@GLIBC_2.17");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.17");
#endif

namespace {

// Nobody else's, as far as one can know: glibc keeps the first two to itself, and libuv and V8 use none.
int KickSignal() { return SIGRTMIN + 7; }

constexpr useconds_t kWatchInterval = 100'000;

}  // namespace

pid_t ThisThread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void AllowKick() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART: the system call ends with EINTR
  sigaction(KickSignal(), &action, nullptr);
  sigset_t kick;
  sigemptyset(&kick);
  sigaddset(&kick, KickSignal());
  sigprocmask(SIG_UNBLOCK, &kick, nullptr);  // on Linux that of the calling thread
}

void Kick(pid_t thread) { syscall(SYS_tgkill, getpid(), thread, KickSignal()); }

bool StartThread(void* (*body)(void*), void* argument, pthread_t* thread) {
  AllowKick();
  sigset_t all, former;
  sigfillset(&all);
  sigdelset(&all, KickSignal());
  sigprocmask(SIG_SETMASK, &all, &former);  // the new thread inherits it
  const bool started = pthread_create(thread, nullptr, body, argument) == 0;
  sigprocmask(SIG_SETMASK, &former, nullptr);
  return started;
}

void JoinThread(pthread_t thread) { pthread_join(thread, nullptr); }

// The threads of all environments, and the thread that watches them from the first on. The only mutable static of this
// addon; never destroyed, as the end of the process does not wait for the watching thread.
struct Watch {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  std::set<WatchedThread*> threads;
  bool runs = false;

  static Watch& Instance() {
    static Watch* const instance = new Watch;
    return *instance;
  }

  static void* Run(void*) {
    Watch& watch = Instance();
    for (;;) {
      usleep(kWatchInterval);
      pthread_mutex_lock(&watch.mutex);
      for (const WatchedThread* watched : watch.threads) {
        if (watched->inside_.load(std::memory_order_relaxed)) Kick(watched->thread_);
      }
      pthread_mutex_unlock(&watch.mutex);
    }
  }
};

WatchedThread::WatchedThread() {
  AllowKick();
  Watch& watch = Watch::Instance();
  pthread_mutex_lock(&watch.mutex);
  watch.threads.insert(this);
  pthread_t thread;
  if (!watch.runs) watch.runs = StartThread(Watch::Run, nullptr, &thread);
  pthread_mutex_unlock(&watch.mutex);
}

WatchedThread::~WatchedThread() {
  Watch& watch = Watch::Instance();
  pthread_mutex_lock(&watch.mutex);
  watch.threads.erase(this);
  pthread_mutex_unlock(&watch.mutex);
}
