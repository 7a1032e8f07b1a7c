// SPDX-License-Identifier: Apache-2.0
// The copies of the log that the I/O thread knows of, and how far each ack level reaches.
//
// Threads: the I/O thread.
#pragma once

#include <cstdint>
#include <string>

#include "ha_plugin/core/ack_groups.h"
#include "ha_plugin/core/ack_policy.h"
#include "ha_plugin/core/members.h"

namespace ha {

class Copies {
 public:
  using ConnectionId = core::AckTracker::ConnectionId;  // numbered from 1

  Copies() { durable_.join(kSelf, "", local_durable_); }

  // Whose copies count from now on, on a master that is the node self.
  void set_members(const core::Members& set, const std::string& self);

  void join(ConnectionId connection, const std::string& replica, core::Offset ack,
            core::Offset durable, bool in_sync);
  // Returns what is not as it was of all() and in_sync_acks().
  core::AckTracker::Changed ack(ConnectionId connection, core::Offset ack, core::Offset durable);
  void set_in_sync(ConnectionId connection, const std::string& replica, bool in_sync);
  void leave(ConnectionId connection);
  // This node's own log. epoch_start: where its epoch as master begins.
  void set_local_durable(core::Offset durable, core::Offset epoch_start);

  // How far a level reaches in a log that ends there.
  core::Offset reached_by(core::Level level, const core::AckPolicy& policy, core::Offset end) const;
  // Up to where this node's own copy survives a loss of power.
  core::Offset local_durable() const { return local_durable_; }
  // Does each replica that keeps up hold all of a log that ends there?
  bool all_hold(core::Offset end) const {
    const std::int32_t all = in_sync_acks_.replicas() + 1;
    return all <= 1 || in_sync_acks_.held_by(all) >= end;
  }

  const core::AckGroups& all() const { return all_; }
  // Those that may be in the in-sync set.
  const core::AckGroups& in_sync_acks() const { return in_sync_acks_; }
  // Those whose wire tells what is durable.
  std::int32_t tell_durable() const { return durable_.replicas() - 1; }

  // As core/ack_policy.h asks.
  struct View {
    const Copies& copies;
    bool is_master;
    bool master() const { return is_master; }
    std::int32_t replicas() const { return copies.all_.replicas(); }
    core::Offset held_by(std::int32_t n) const { return copies.all_.held_by(n); }
    core::Offset in_sync_held_by(std::int32_t n) const { return copies.in_sync_acks_.held_by(n); }
  };
  View view(bool master = true) const { return {*this, master}; }

 private:
  // This node's own copy among the durable ones.
  static constexpr ConnectionId kSelf = 0;

  core::AckGroups all_;
  core::AckGroups in_sync_acks_;
  core::AckGroups durable_;  // of durable positions; the master's own is one of them
  core::Offset local_durable_ = core::Offset(0);
};

}  // namespace ha
