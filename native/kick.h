// Threads that run vCPUs, and what takes them out of KVM_RUN: a real-time signal, whose handler does nothing.
#ifndef KVM_ARM64_KICK_H
#define KVM_ARM64_KICK_H

#include <pthread.h>
#include <sys/types.h>

#include <atomic>

// The kernel's number of the calling thread.
pid_t ThisThread();

// Has the signal interrupt the calling thread: without a handler it would end the process, and a mask could hold it back.
void AllowKick();

void Kick(pid_t thread);

// Starts a thread on which every signal but the kick is blocked, so that it takes none that JavaScript waits for.
bool StartThread(void* (*body)(void*), void* argument, pthread_t* thread);
void JoinThread(pthread_t thread);

// A thread of JavaScript, which calls KVM_RUN itself. While it is in there nothing can tell it that its environment is
// to end: Worker.terminate() and process.exit() wait until it comes out. So it is taken out ten times a second to look.
class WatchedThread {
 public:
  WatchedThread();
  ~WatchedThread();
  WatchedThread(const WatchedThread&) = delete;
  WatchedThread& operator=(const WatchedThread&) = delete;

  void Enter() { inside_.store(true, std::memory_order_relaxed); }
  void Leave() { inside_.store(false, std::memory_order_relaxed); }

 private:
  friend struct Watch;
  const pid_t thread_ = ThisThread();
  std::atomic<bool> inside_{false};
};

#endif
