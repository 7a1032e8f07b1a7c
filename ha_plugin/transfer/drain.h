// SPDX-License-Identifier: Apache-2.0
// How a service that is to stop comes to rest: nothing new comes in, and what is pending ends.
//
// A wait is counted as pending before "are we stopping?" is looked at, and stopping lasts until no
// wait is pending: so none can slip in between and stay for ever.
//
// Threads: any, but for set_replicas_lack (the I/O thread).
#pragma once

#include <atomic>
#include <cstdint>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/core/types.h"
#include "metrics/mutex.h"

namespace ha {

class Drain {
 public:
  std::int64_t pending() const { return pending_.load(std::memory_order_seq_cst); }
  // Returns how many were pending before.
  std::int64_t begin() { return pending_.fetch_add(1, std::memory_order_seq_cst); }
  void end(std::int64_t count) {
    if (pending_.fetch_sub(count, std::memory_order_seq_cst) == count) wake();
  }

  bool accepting() const { return accepting_.load(std::memory_order_seq_cst); }
  void refuse_new() { accepting_.store(false, std::memory_order_seq_cst); }

  // Whether a replica that keeps up does not hold all of the log.
  void set_replicas_lack(bool lack) {
    if (lack_.exchange(lack, std::memory_order_seq_cst) && !lack) wake();
  }

  // Blocks until nothing is pending and no replica lacks anything, or the deadline has passed.
  // Returns true if nothing is pending.
  bool wait(core::Time deadline) {
    Lock lock(mutex_);
    while (pending() != 0 || lack_.load(std::memory_order_seq_cst)) {
      if (!ended_.wait_until(lock, net::to_time_point(deadline))) break;
    }
    return pending() == 0;
  }

 private:
  void wake() {
    if (accepting()) return;
    // Locked, so that the notification cannot fall between the waiter's look and its sleep.
    const Lock lock(mutex_);
    ended_.notify_all();
  }

  std::atomic<bool> accepting_{true};
  std::atomic<std::int64_t> pending_{0};
  std::atomic<bool> lack_{false};
  Mutex mutex_;
  Condition ended_;
};

}  // namespace ha
