// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP as a condition to look at and to wait on. Signals are blocked
// everywhere and taken by a thread with sigwait, so everything in scope is torn down in order when
// one comes.
#pragma once

#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace stub::demo {

class Interrupt {
 public:
  // Before any other thread starts: threads inherit the mask.
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool raised() const;
  // True when raised; false after that long. Any thread.
  bool wait_for(std::chrono::milliseconds time) const;

 private:
  sigset_t signals_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool raised_ = false;
  std::thread thread_;
};

}  // namespace stub::demo
