// SPDX-License-Identifier: Apache-2.0
// Answers waits although copies are missing (option missing_copies = degrade): those that are old
// enough, and that ask for no more than the default policy gives.
//
// What is answered so may be lost with this node. So the journal of the DegradedKeeper says first
// which bytes that concerns, and nothing is answered that could not be written there. Once some
// waits are answered, those that come after do not wait for their turn to be old: the copies are
// known to be missing.
//
// Threads: the I/O thread, but for at_once (any).
#pragma once

#include <atomic>
#include <vector>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/core/wait_queue.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "metrics/ha_metrics.h"

namespace ha {

// What default acks stand for in a log that ends at end, and how far that reaches.
struct DefaultAcks {
  core::Offset end;
  core::Level level = 1;
  core::Offset reached;
  std::int32_t in_sync = 1;      // copies, the master's included
  std::int32_t all_in_sync = 1;  // that acks of all in sync stand for

  // Does a wait of that level ask for no more? A producer that asks for more is told the truth
  // instead.
  bool cover(core::Level asked) const;
};

class DegradedAnswers {
 public:
  // keeper: nullptr where nothing is ever answered so.
  DegradedAnswers(DegradedKeeper* keeper, metrics::HaMetrics& metrics)
      : keeper_(keeper), metrics_(metrics) {}

  // A wait that is that old is answered below policy; kNever = none is.
  void set_after(core::Time after) { after_ = after; }
  // Nothing is answered so from then on, of boottime_now: both sides of a cut network would do it.
  // Any thread.
  void set_until(core::Time until) { until_.store(until.count(), std::memory_order_release); }
  // Nothing is answered so until another role or epoch begins.
  void stop() { stopped_ = true; }
  // Another role or epoch begins.
  void forget();

  // A turn of a master, once the copies have ended what they can. local_durable: up to where this
  // node's own copy survives a loss of power.
  void turn(core::Time now, const DefaultAcks& acks, core::Offset local_durable,
            core::WaitQueue& queue, std::vector<core::EndedWait>& ended);
  // A turn of a node that is no master.
  void idle_turn(core::Time now);
  // When turn has something to do without an event.
  core::Time next_deadline() const { return due_at_; }
  // Read at each answer: a process that was stopped wakes up here too.
  bool in_time() const {
    const core::Time until{until_.load(std::memory_order_acquire)};
    return until == core::kNever || net::boottime_now() < until;
  }
  // Up to where was answered so; kNoOffset = enough copies hold all.
  core::Offset answered() const;
  // Each wait needs a turn, and not an ack.
  bool at_once() const { return at_once_.load(std::memory_order_seq_cst); }

 private:
  DegradedKeeper* const keeper_;
  metrics::HaMetrics& metrics_;
  std::atomic<bool> at_once_{false};
  std::atomic<core::Time::rep> until_{core::kNever.count()};
  core::Time after_ = core::kNever;
  bool stopped_ = false;
  core::Time due_at_ = core::kNever;                // the next wait is so old then
  core::Offset ever_held_ = core::kNoOffset;        // as far as the default policy ever reached
  core::Level ever_held_level_ = core::kAllInSync;  // the level that ever_held_ is of
};

}  // namespace ha
