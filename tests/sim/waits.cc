#include "tests/sim/waits.h"

namespace ha::sim {
namespace {

constexpr core::AckTracker::ConnectionId kSelf = 0;

void* as_user(std::uint64_t id) { return reinterpret_cast<void*>(id); }

}  // namespace

Waits::Waits(std::int32_t nodes, std::int32_t copies, Done done) : done_(std::move(done)) {
  policy_.in_sync_replicas = copies;
  policy_.max_copies = nodes;
  policy_.quorum = nodes / 2 + 1;
  durable_.join(kSelf, "", own_durable_);
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
    done_(id, decision.status);
    return;
  }
  queue_.add({end, decision.level, now, deadline, nullptr, as_user(id)});
}

void Waits::turn(core::Time now, core::Offset log_durable) {
  if (log_durable != own_durable_) {
    durable_.leave(kSelf);
    durable_.join(kSelf, "", log_durable);
    own_durable_ = log_durable;
  }
  if (queue_.empty()) return;
  if (!master_) return fail_all(core::Status::kNotMaster);
  const std::vector<core::Level> levels = queue_.levels();
  for (const core::Level level : levels) {
    const std::int32_t copies = core::copies_of(level);
    // The tracker adds a copy for the master, whose own durable one is in there already.
    queue_.complete(
        level, core::is_durable(level) ? durable_.held_by(copies + 1) : tracker_.held_by(copies),
        ended_);
  }
  queue_.expire(now, ended_);
  tell();
}

void Waits::fail_all(core::Status status) {
  queue_.fail_all(status, ended_);
  tell();
}

void Waits::forget() {
  queue_.fail_all(core::Status::kShutdown, ended_);
  ended_.clear();
}

void Waits::tell() {
  std::vector<core::EndedWait> ended;
  ended.swap(ended_);
  for (const core::EndedWait& one : ended) {
    done_(reinterpret_cast<std::uint64_t>(one.wait.user), one.status);
  }
}

}  // namespace ha::sim
