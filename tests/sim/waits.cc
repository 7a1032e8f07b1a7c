// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/waits.h"

#include <algorithm>

namespace ha::sim {
namespace {

constexpr core::AckTracker::ConnectionId kSelf = 0;

void* as_user(std::uint64_t id) { return reinterpret_cast<void*>(id); }

}  // namespace

Waits::Waits(const Config& config, Keeper& keeper, Told told)
    : config_(config), keeper_(keeper), told_(std::move(told)) {
  policy_.in_sync_replicas = config.copies;
  policy_.max_copies = config.nodes;
  policy_.quorum = config.nodes / 2 + 1;
  policy_.wait_for_slaves = config.block;
  durable_.join(kSelf, "", own_durable_);
}

void Waits::set_master(bool master) {
  master_ = master;
  held_ = confirmed_ = core::kNoOffset;
}

void Waits::set_groups(const core::Members& set, const std::string& self) {
  if (!config_.members) return;
  std::vector<core::AckGroups::Counted> groups;
  for (const core::MemberGroup& group : set.groups()) {
    groups.push_back({group.ids, group.has(self)});
  }
  tracker_.set_groups(groups);
  for (auto& group : groups) {
    if (group.master) group.ids.emplace_back();  // its own copy is tracked
    group.master = true;
  }
  durable_.set_groups(std::move(groups));
}

void Waits::join(core::AckTracker::ConnectionId connection, const std::string& replica) {
  tracker_.join(connection, replica, core::Offset(0));
  durable_.join(connection, replica, core::Offset(0));
}

void Waits::ack(core::AckTracker::ConnectionId connection, core::Offset ack, core::Offset durable) {
  tracker_.ack(connection, ack);
  durable_.ack(connection, durable);
}

void Waits::leave(core::AckTracker::ConnectionId connection) {
  tracker_.leave(connection);
  durable_.leave(connection);
}

core::AckDecision Waits::judge(std::int32_t copies, bool durable, core::Offset end) const {
  if (!durable) return core::judge_wait(policy_, Held{*this}, copies, end);
  core::AckDecision decision = core::judge_acks(policy_, Held{*this}, copies, end);
  if (decision.status == core::Status::kDone) return {core::Status::kOk, core::durable_level(1)};
  decision.level = core::durable_level(decision.level);
  return decision;
}

void Waits::wait(std::uint64_t id, std::int32_t copies, bool durable, core::Offset end,
                 core::Time now, core::Time deadline) {
  const core::AckDecision decision = judge(copies, durable, end);
  if (decision.status != core::Status::kOk) {
    told_.done(id, decision.status, false);
    return;
  }
  queue_.add({end, decision.level, now, deadline, nullptr, as_user(id)});
}

void Waits::turn(core::Time now, core::Offset log_end, core::Offset log_durable) {
  if (log_durable != own_durable_) {
    durable_.leave(kSelf);
    durable_.join(kSelf, "", log_durable);
    own_durable_ = log_durable;
  }
  if (!master_) return fail_all(core::Status::kNotMaster);
  const std::vector<core::Level> levels = queue_.levels();
  for (const core::Level level : levels) {
    const std::int32_t copies = core::copies_of(level);
    // The tracker adds a copy for the master, whose own durable one is in there already.
    queue_.complete(
        level, core::is_durable(level) ? durable_.held_by(copies + 1) : tracker_.held_by(copies),
        ended_);
  }
  told_.reached(reached_by_default(log_end), keep_up());
  if (config_.degrades()) degrade(now, log_end);
  queue_.expire(now, ended_);
  tell();
  confirm(log_end);
}

core::Offset Waits::reached_by_default(core::Offset log_end) const {
  const std::int32_t copies = policy_.in_sync_replicas;
  if (config_.durable) return durable_.held_by(copies + 1);
  return copies <= 1 ? log_end : tracker_.held_by(copies);
}

// Answers what may be answered with fewer copies than the default promises. Durable waits want at
// least the master's own copy on disk.
void Waits::degrade(core::Time now, core::Offset log_end) {
  keeper_.retry(now);
  const core::Offset reached = reached_by_default(log_end);
  held_ = std::max(held_, reached);
  keeper_.look(reached, keep_up(), now);
  bool due = false;
  std::vector<core::Level> answerable;
  for (const core::Level level : queue_.levels()) {
    const bool promised = core::copies_of(level) <= policy_.in_sync_replicas &&
                          (config_.durable || !core::is_durable(level));
    if (!promised) continue;
    if (queue_.lowest_end(level) > (core::is_durable(level) ? own_durable_ : log_end)) continue;
    answerable.push_back(level);
    due = due || now - queue_.oldest_started(level) >= config_.degrade_after ||
          keeper_.journal().answering();
  }
  if (!due || !keeper_.allow(held_, log_end, now)) return;
  for (const core::Level level : answerable) {
    queue_.complete(level, core::is_durable(level) ? own_durable_ : log_end, below_);
  }
  for (const core::EndedWait& one : below_) keeper_.answered(one.wait.end);
}

void Waits::confirm(core::Offset log_end) {
  core::Offset now = reached_by_default(log_end);
  // Readers see what was acknowledged, whatever that is worth.
  if (keeper_.open()) now = std::max(now, std::min(keeper_.journal().answered(), log_end));
  if (now <= confirmed_) return;
  confirmed_ = now;
  told_.confirmed(now);
}

void Waits::fail_all(core::Status status) {
  queue_.fail_all(status, ended_);
  tell();
}

void Waits::forget() {
  queue_.fail_all(core::Status::kShutdown, ended_);
  ended_.clear();
  below_.clear();
}

void Waits::tell() {
  const auto all = [&](std::vector<core::EndedWait>& which, bool below) {
    std::vector<core::EndedWait> ended;
    ended.swap(which);
    for (const core::EndedWait& one : ended) {
      told_.done(reinterpret_cast<std::uint64_t>(one.wait.user), one.status, below);
    }
  };
  all(below_, true);
  all(ended_, false);
}

}  // namespace ha::sim
