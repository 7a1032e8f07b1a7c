// SPDX-License-Identifier: Apache-2.0
// A master's waits: what ha_plugin/transfer_service does, for one thread.
#pragma once

#include <cstdint>
#include <functional>

#include "ha_plugin/core/ack_groups.h"
#include "ha_plugin/core/ack_policy.h"
#include "ha_plugin/core/members.h"
#include "ha_plugin/core/wait_queue.h"
#include "tests/sim/config.h"
#include "tests/sim/keeper.h"

namespace ha::sim {

class Waits {
 public:
  struct Told {
    // below: with fewer copies than it asked for.
    std::function<void(std::uint64_t wait, core::Status status, bool below)> done;
    // On a master: so far the default policy reaches, and are as many copies there as it asks for?
    std::function<void(core::Offset reached, bool keep_up)> reached;
    // It rose: readers may see what lies below.
    std::function<void(core::Offset confirm)> confirmed;
  };
  Waits(const Config& config, Keeper& keeper, Told told);

  void set_master(bool master);
  // Whose copies count.
  void set_groups(const core::Members& set, const std::string& self);
  // What each frame says; kNoOffset = nothing is confirmed yet.
  core::Offset confirmed() const { return confirmed_; }
  // As far as the default policy reaches at this moment, with durable copies.
  core::Offset held(core::Offset log_end) const {
    return std::min(reached_by_default(log_end), durable_.held_by(policy_.in_sync_replicas + 1));
  }
  void join(core::AckTracker::ConnectionId connection, const std::string& replica);
  void ack(core::AckTracker::ConnectionId connection, core::Offset ack, core::Offset durable);
  void leave(core::AckTracker::ConnectionId connection);

  // Done may be called before it returns.
  void wait(std::uint64_t id, std::int32_t copies, bool durable, core::Offset end, core::Time now,
            core::Time deadline);
  void turn(core::Time now, core::Offset log_end, core::Offset log_durable);
  void fail_all(core::Status status);
  // The process died: nobody is told.
  void forget();

 private:
  struct Held {
    const Waits& waits;
    bool master() const { return waits.master_; }
    std::int32_t replicas() const { return waits.tracker_.replicas(); }
    core::Offset held_by(std::int32_t copies) const { return waits.tracker_.held_by(copies); }
    core::Offset in_sync_held_by(std::int32_t copies) const { return held_by(copies); }
  };
  core::AckDecision judge(std::int32_t copies, bool durable, core::Offset end) const;
  core::Offset reached_by_default(core::Offset log_end) const;
  bool keep_up() const { return 1 + tracker_.replicas() >= policy_.in_sync_replicas; }
  void degrade(core::Time now, core::Offset log_end);
  void confirm(core::Offset log_end);
  void tell();

  const Config& config_;
  Keeper& keeper_;
  const Told told_;
  core::AckPolicy policy_;
  bool master_ = false;
  core::AckGroups tracker_;
  core::AckGroups durable_;  // the master's own is one of them
  core::Offset own_durable_{0};
  core::WaitQueue queue_;
  core::Offset held_ = core::kNoOffset;  // as far as the default policy ever reached
  core::Offset confirmed_ = core::kNoOffset;
  std::vector<core::EndedWait> ended_;
  std::vector<core::EndedWait> below_;  // those that ended below policy
};

}  // namespace ha::sim
