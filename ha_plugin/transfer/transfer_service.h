// SPDX-License-Identifier: Apache-2.0
// Group transfer: producers wait here until enough copies exist, and each is woken with the truth.
//
// Two halves meet in this class. Host threads come in through wait() and check(), which touch
// atomics and push onto a lock-free stack (Arrivals); the I/O thread owns the wait queue (core) and
// the Copies, and does everything else in turn(). What host threads must know to answer at once is
// in PublishedAcks. Drain counts what is pending. DegradedAnswers answers when copies are missing.
//
// Most waits do not ring: the ack that ends one makes the I/O thread look anyway. It publishes how
// far the copies reach before it takes in what has arrived, and a host thread hands its wait over
// before it looks at what is published (all of it sequentially consistent), so one of the two sees
// the other. The same holds for the time at which the I/O thread looks without an ack.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ha/plugin.h"
#include "ha_plugin/core/catch_up_rate.h"
#include "ha_plugin/core/wait_queue.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/transfer/arrivals.h"
#include "ha_plugin/transfer/copies.h"
#include "ha_plugin/transfer/degraded_answers.h"
#include "ha_plugin/transfer/drain.h"
#include "ha_plugin/transfer/published_acks.h"
#include "metrics/ha_metrics.h"

namespace ha {

class TransferService {
 public:
  // ring: wakes the I/O thread, which will call turn(). room: for that many copies, where a policy
  // that comes later may have more than this one.
  TransferService(metrics::HaMetrics& metrics, const core::AckPolicy& policy,
                  std::int64_t max_pending_waits, std::function<void()> ring,
                  DegradedKeeper* degraded = nullptr, std::int32_t room = 0);
  TransferService(const TransferService&) = delete;
  TransferService& operator=(const TransferService&) = delete;

  // ---- any thread ----
  core::Status wait(const ha_wait_request& request, core::Time now);
  core::Status check(std::int32_t acks, std::int32_t durability);
  std::int64_t pending() const { return drain_.pending(); }
  const core::AckPolicy& policy() const { return published_.policy(); }
  // From now on waits are refused with SHUTDOWN.
  void refuse_new() { drain_.refuse_new(); }
  // Blocks until no wait is pending and every replica that keeps up holds the log, or the deadline
  // has passed; true = no wait is pending. REQUIRES: refuse_new was called, and a turn came after
  // that.
  bool wait_until_drained(core::Time deadline) { return drain_.wait(deadline); }

  // ---- I/O thread ----
  void set_policy(const core::AckPolicy& policy) { published_.set_policy(policy); }
  // Whose copies count, on a master that is the node self.
  void set_members(const core::Members& set, const std::string& self);
  // What HA_DURABILITY_DEFAULT stands for.
  void set_durable_by_default(bool durable) { published_.set_durable_by_default(durable); }
  // A wait that is that old is answered below policy; kNever = none is.
  void set_degrade_after(core::Time after) { degraded_.set_after(after); }
  // Any thread: see DegradedAnswers.
  void set_degrade_until(core::Time until) { degraded_.set_until(until); }
  // This node is about to leave master: from now on no wait is answered below policy.
  void stop_degraded_answers() { degraded_.stop(); }
  // epoch: the master's, and where it begins in the log; 0 where epochs are not kept.
  void set_master(bool master, std::int64_t epoch = 0, core::Offset epoch_start = core::Offset(0));
  // durable: as far as the replica says that its copy survives a loss of power; kNoOffset when its
  // wire cannot say that. connections are numbered from 1.
  void join(Copies::ConnectionId connection, const std::string& replica, core::Offset ack,
            core::Offset durable = core::kNoOffset, bool in_sync = true);
  // It keeps up with the log, or does so no longer. REQUIRES: connection has joined as replica.
  void set_in_sync(Copies::ConnectionId connection, const std::string& replica, bool in_sync);
  void ack(Copies::ConnectionId connection, core::Offset ack,
           core::Offset durable = core::kNoOffset);
  void leave(Copies::ConnectionId connection);

  // Takes in new waits and ends those that are satisfied or too late; run_callbacks() tells them.
  // Of very many it ends some, and rings for the others: sockets are to have their turn.
  // The log ends at log_end; below log_durable it survives a loss of power. Returns how far the
  // default policy reaches on a master if that has risen, else kNoOffset: readers must see that far
  // before a producer is told, who may look for its message.
  core::Offset turn(core::Time now, core::Offset log_end,
                    core::Offset log_durable = core::Offset(0));
  // Runs the callbacks of the waits that have ended.
  void run_callbacks(core::Time now);
  // Ends all waits that are pending now.
  void fail_all(core::Status status);
  // The same, and goes on until no host thread is between counting a wait and handing it over.
  // REQUIRES: refuse_new was called.
  void fail_all_for_good(core::Status status);

  // What a replica that catches up may be sent now: core::CatchUpRate. No limit while producers
  // need that replica.
  std::int64_t catch_up_rate(core::Time now);

  // When turn() has something to do without an event.
  core::Time next_deadline() const;
  // turn() will be called at that time at the latest, whatever happens; kNever = nothing is armed.
  void set_next_turn(core::Time at) { next_turn_.store(at.count(), std::memory_order_seq_cst); }
  // Every replica that keeps up holds the log.
  bool all_hold(core::Offset log_end) const { return copies_.all_hold(log_end); }
  // A wait is pending whose bytes enough replicas hold: it ends in the next turn, or when they are
  // durable too.
  bool owes_answers(core::Offset log_end) const;
  std::int32_t in_sync(core::Offset log_end) const;
  bool is_in_sync(Copies::ConnectionId connection, core::Offset log_end) const;
  const core::AckGroups& tracker() const { return copies_.all(); }
  // As far as enough copies for the default policy hold the log at this moment; with durable, as
  // far as enough of them survive a loss of power.
  core::Offset held_now(core::Offset log_end, bool durable) const;
  // As far as the default policy reaches, where epochs are kept; else kNoOffset.
  core::Offset confirmed() const {
    return published_.epoch() == 0 ? core::kNoOffset : last_progress_;
  }

 private:
  DefaultAcks default_acks(core::Offset log_end) const;
  core::Offset reached_by(core::Level level, core::Offset log_end) const;
  bool ends_without_ring(const core::Wait& wait) const;
  bool is_at_tail(const core::Wait& wait) const;
  void publish(core::AckTracker::Changed changed = {});
  void publish_in_sync(core::Offset log_end) const;
  void take_arrivals();
  // Returns false when more are to end.
  bool complete_levels(core::Offset log_end);
  core::Offset progress(const DefaultAcks& acks);
  void count(core::Status status) const;

  metrics::HaMetrics& metrics_;
  const std::int64_t max_pending_waits_;
  const std::function<void()> ring_;
  PublishedAcks published_;
  Drain drain_;
  Arrivals arrivals_;
  std::atomic<std::int64_t> log_end_{0};
  std::atomic<std::int64_t> next_turn_{core::kNever.count()};

  // The I/O thread's.
  Copies copies_;
  core::WaitQueue queue_;
  core::CatchUpRate catch_up_rate_;
  std::vector<core::EndedWait> ended_;
  core::Offset epoch_start_ = core::Offset(0);
  core::Offset last_progress_ = core::kNoOffset;
  DegradedAnswers degraded_;
};

}  // namespace ha
