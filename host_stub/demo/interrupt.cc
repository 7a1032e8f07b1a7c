// SPDX-License-Identifier: Apache-2.0
#include "demo/interrupt.h"

#include <pthread.h>

namespace stub::demo {

Interrupt::Interrupt() {
  sigemptyset(&signals_);
  // SIGUSR1, sent to this thread alone by the destructor, ends it.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] {
    int signal = 0;
    while (::sigwait(&signals_, &signal) == 0 && signal != SIGUSR1) {
      const std::lock_guard lock(mutex_);
      raised_ = true;
      changed_.notify_all();
    }
  });
}

Interrupt::~Interrupt() {
  ::pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

bool Interrupt::raised() const {
  const std::lock_guard lock(mutex_);
  return raised_;
}

bool Interrupt::wait_for(std::chrono::milliseconds time) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return raised_; });
}

}  // namespace stub::demo
