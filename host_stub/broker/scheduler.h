// SPDX-License-Identifier: Apache-2.0
// Delivers scheduled messages when their time comes. Runs on a master only: start and stop follow
// the role. What is still to be delivered stands in the log (store/schedule_index.h), so nothing
// has to be handed over when the role moves.
//
// Exactly once: the delivery is one append, under the append lock, and only while the message is
// still pending there; the index learns of it before that lock is free. The one gap is a delivery
// that was read on the old master before it was replicated.
//
// Threads: one while it runs. start and stop from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "store/commit_log.h"
#include "store/index.h"

namespace stub {

class Scheduler {
 public:
  Scheduler(store::CommitLog& log, store::Index& index, std::function<std::int64_t()> now_ms);
  ~Scheduler() { stop(); }

  void start();
  void stop();

 private:
  void run();
  // False when the log refused; the message stays pending.
  bool deliver(const store::Due& due);

  store::CommitLog& log_;
  store::Index& index_;
  const std::function<std::int64_t()> now_ms_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of start and stop
  std::thread thread_;
};

}  // namespace stub
