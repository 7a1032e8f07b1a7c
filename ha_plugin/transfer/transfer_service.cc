// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/transfer/transfer_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/core/catch_up.h"
#include "ha_plugin/host/host_call.h"

namespace ha {

using core::Offset;
using core::Status;

namespace {

// Waits of a level that end in one turn, some 0.4 ms of it.
constexpr std::size_t kMostEnded = 1024;

// A wait that is older, and wants more copies than keep up, may need the replica that catches up.
constexpr auto kLongWait = std::chrono::seconds(1);

}  // namespace

TransferService::TransferService(metrics::HaMetrics& metrics, const core::AckPolicy& policy,
                                 std::int64_t max_pending_waits, std::function<void()> ring,
                                 DegradedKeeper* degraded, std::int32_t room)
    : metrics_(metrics),
      max_pending_waits_(max_pending_waits),
      ring_(std::move(ring)),
      published_(policy, room),
      degraded_(degraded, metrics) {}

void TransferService::count(Status status) const {
  const auto slot = status == Status::kDone ? 0 : -static_cast<std::int32_t>(status);
  metrics_.wait_results[static_cast<std::size_t>(slot)].add();
}

Status TransferService::check(std::int32_t acks, std::int32_t durability) {
  if (!drain_.accepting()) return Status::kShutdown;
  bool durable = false;
  if (const Status s = published_.resolve_durability(durability, durable); s != Status::kOk)
    return s;
  // Of bytes that nobody can hold yet: nothing but what would be refused.
  const Offset end(log_end_.load(std::memory_order_acquire));
  const Status status = durable ? published_.judge(acks, true, end).status
                                : core::judge_acks(policy(), published_, acks, end).status;
  return status == Status::kDone ? Status::kOk : status;
}

Status TransferService::wait(const ha_wait_request& request, core::Time now) {
  const auto answer = [&](Status status) {
    count(status);
    return status;
  };
  if (request.fn == nullptr || request.end < 0 || request.timeout_ns <= 0) {
    return answer(Status::kInvalid);
  }
  if (request.epoch < 0) return answer(Status::kInvalid);
  // Only nodes of a configured set keep epochs.
  if (request.epoch != 0 && policy().quorum == 0) {
    return answer(Status::kUnsupported);
  }
  bool durable = false;
  if (const Status s = published_.resolve_durability(request.durability, durable);
      s != Status::kOk) {
    return answer(s);
  }

  const std::int64_t before = drain_.begin();
  core::AckDecision decision;
  if (!drain_.accepting()) {
    decision.status = Status::kShutdown;
  } else if (published_.master() && request.epoch != 0 && request.epoch != published_.epoch()) {
    decision.status = Status::kEpoch;
  } else {
    decision = published_.judge(request.acks, durable, Offset(request.end));
    if (decision.status == Status::kOk && before >= max_pending_waits_) {
      decision.status = Status::kAgain;
    }
  }
  if (decision.status != Status::kOk) {
    drain_.end(1);
    return answer(decision.status);
  }
  const core::Time timeout(std::min(request.timeout_ns, INT64_MAX - now.count()));
  const core::Wait wait{Offset(request.end), decision.level, now,
                        now + timeout,       request.fn,     request.user};
  std::unique_ptr<Arrival> arrival(new (std::nothrow) Arrival{wait, request.epoch});
  if (arrival == nullptr) {
    drain_.end(1);
    return answer(Status::kNoMemory);
  }
  metrics_.waits_started.add();
  arrivals_.push(std::move(arrival));
  if (!ends_without_ring(wait)) ring_();
  return Status::kOk;
}

// What all in sync hold, and what is durable, is for the I/O thread to say.
bool TransferService::ends_without_ring(const core::Wait& wait) const {
  return wait.level != core::kAllInSync && !core::is_durable(wait.level) && !degraded_.at_once() &&
         published_.master() &&
         wait.deadline.count() >= next_turn_.load(std::memory_order_seq_cst) &&
         published_.held_by(wait.level) < wait.end;
}

void TransferService::publish(core::AckTracker::Changed changed) {
  published_.publish(copies_, changed);
  publish_in_sync(Offset(log_end_.load(std::memory_order_relaxed)));
}

void TransferService::publish_in_sync(Offset log_end) const {
  metrics_.in_sync_replicas.set(published_.master() ? in_sync(log_end) : 0);
}

void TransferService::set_members(const core::Members& set, const std::string& self) {
  copies_.set_members(set, self);
  publish();
  ring_();  // fewer nodes may count: a wait may be over
}

void TransferService::join(Copies::ConnectionId connection, const std::string& replica, Offset ack,
                           Offset durable, bool in_sync) {
  copies_.join(connection, replica, ack, durable, in_sync);
  publish();
}

void TransferService::ack(Copies::ConnectionId connection, Offset ack, Offset durable) {
  publish(copies_.ack(connection, ack, durable));
}

void TransferService::set_in_sync(Copies::ConnectionId connection, const std::string& replica,
                                  bool in_sync) {
  copies_.set_in_sync(connection, replica, in_sync);
  if (!in_sync) ring_();  // a wait for all in sync may be over
  publish();
}

void TransferService::leave(Copies::ConnectionId connection) {
  copies_.leave(connection);
  publish();
  ring_();  // fewer in sync: a wait for all of them may be over
}

void TransferService::take_arrivals() {
  // A producer that was held up between being judged and here may have appended under another
  // master.
  const std::int64_t now = published_.epoch();
  for (const Arrival& a : arrivals_.take()) {
    if (a.epoch != 0 && a.epoch != now) {
      ended_.push_back({a.wait, Status::kEpoch});
    } else {
      queue_.add(a.wait);
    }
  }
}

Offset TransferService::reached_by(core::Level level, Offset log_end) const {
  return copies_.reached_by(level, policy(), log_end);
}

bool TransferService::complete_levels(Offset log_end) {
  bool all = true;
  const std::vector<core::Level> levels = queue_.levels();
  for (const core::Level level : levels) {
    all = queue_.complete(level, reached_by(level, log_end), ended_, kMostEnded) && all;
  }
  return all;
}

void TransferService::run_callbacks(core::Time now) {
  // A producer that is woken will mostly ring soon: a bell that rings already costs them no system
  // call. And more waits may be to end than did.
  if (!ended_.empty()) ring_();
  // A callback may come back with another wait, which goes to arrivals_: ended_ does not move.
  std::vector<core::EndedWait> ended;
  ended.swap(ended_);
  for (const core::EndedWait& e : ended) {
    count(e.status);
    if (e.status == Status::kOk) {
      const core::Time took = now - e.wait.started;
      metrics_.ack_latency.observe(took.count());
      if (is_at_tail(e.wait) && !degraded_.at_once()) catch_up_rate_.on_wait(took, now);
    }
    call_host(e.wait.fn, e.wait.user, static_cast<std::int32_t>(e.status), e.wait.end.bytes());
  }
  const auto count_ended = static_cast<std::int64_t>(ended.size());
  if (count_ended > 0) drain_.end(count_ended);
  ended.clear();
  ended_.swap(ended);  // keeps the memory
  metrics_.waits_pending.set(pending());
  const core::Time oldest = queue_.oldest_started();
  metrics_.oldest_wait_since_ns.set(oldest == core::kNever ? 0 : oldest.count());
}

// Not so if a replica that is still far behind has ended the wait.
bool TransferService::is_at_tail(const core::Wait& wait) const {
  return log_end_.load(std::memory_order_relaxed) - wait.end.bytes() <= core::kLiveTailBytes;
}

std::int64_t TransferService::catch_up_rate(core::Time now) {
  const std::int32_t keep_up = copies_.in_sync_acks().replicas() + 1;
  bool others_are_waited_for = false;
  bool needed = false;
  for (const core::Level level : queue_.levels()) {
    if (core::copies_of(level) <= keep_up) {
      others_are_waited_for = true;
    } else {
      needed = needed || now - queue_.oldest_started(level) > kLongWait;
    }
  }
  const std::int64_t rate = catch_up_rate_.at(now, others_are_waited_for);
  return needed ? 0 : rate;
}

bool TransferService::owes_answers(Offset log_end) const {
  const auto& levels = queue_.levels();
  return std::any_of(levels.begin(), levels.end(), [&](core::Level level) {
    return queue_.lowest_end(level) <= reached_by(core::copies_of(level), log_end);
  });
}

Offset TransferService::turn(core::Time now, Offset log_end, Offset log_durable) {
  Offset risen = core::kNoOffset;
  log_end_.store(log_end.bytes(), std::memory_order_release);
  copies_.set_local_durable(log_durable, epoch_start_);
  take_arrivals();
  if (!published_.master()) {
    queue_.fail_all(Status::kNotMaster, ended_);
    degraded_.idle_turn(now);
  } else {
    const bool all = complete_levels(log_end);
    const DefaultAcks acks = default_acks(log_end);
    // What is satisfied must not end as too late, nor as degraded.
    if (all) {
      degraded_.turn(now, acks, copies_.local_durable(), queue_, ended_);
      queue_.expire(now, ended_, kMostEnded);
    }
    risen = progress(acks);
  }
  publish_in_sync(log_end);
  // Before the last wait ends: a drain looks at both.
  drain_.set_replicas_lack(published_.master() && !copies_.all_hold(log_end));
  return risen;
}

void TransferService::fail_all(Status status) {
  take_arrivals();
  queue_.fail_all(status, ended_);
  run_callbacks(net::steady_now());
}

void TransferService::fail_all_for_good(Status status) {
  while (pending() > 0) {
    fail_all(status);
    if (pending() > 0) std::this_thread::yield();
  }
}

std::int32_t TransferService::in_sync(Offset log_end) const {
  return core::in_sync_count(policy(), copies_.view(), log_end);
}

bool TransferService::is_in_sync(Copies::ConnectionId connection, Offset log_end) const {
  const core::AckGroups& acks = copies_.in_sync_acks();
  return acks.tracks(connection) &&
         log_end - acks.ack_of(connection) < policy().max_gap_not_in_sync_bytes;
}

void TransferService::set_master(bool master, std::int64_t epoch, Offset epoch_start) {
  epoch_start_ = epoch_start;
  last_progress_ = core::kNoOffset;
  degraded_.forget();
  catch_up_rate_ = {};
  published_.set_master(master, epoch);
}

DefaultAcks TransferService::default_acks(Offset log_end) const {
  DefaultAcks acks;
  acks.end = log_end;
  acks.in_sync = in_sync(log_end);
  acks.all_in_sync = core::all_in_sync_copies(policy(), acks.in_sync);
  const std::int32_t copies = core::default_copies(policy(), copies_.view(), log_end);
  acks.level = published_.durable_by_default() ? core::durable_level(copies) : copies;
  acks.reached = reached_by(acks.level, log_end);
  return acks;
}

Offset TransferService::held_now(Offset log_end, bool durable) const {
  const DefaultAcks acks = default_acks(log_end);
  if (!durable) return acks.reached;
  const core::Level level = core::durable_level(core::copies_of(acks.level));
  return std::min(acks.reached, reached_by(level, log_end));
}

core::Time TransferService::next_deadline() const {
  return std::min(queue_.next_deadline(), degraded_.next_deadline());
}

Offset TransferService::progress(const DefaultAcks& acks) {
  // Readers see what was acknowledged, whatever that is worth.
  const Offset reached = std::max(acks.reached, std::min(degraded_.answered(), acks.end));
  if (reached <= last_progress_) return core::kNoOffset;
  return last_progress_ = reached;
}

}  // namespace ha
