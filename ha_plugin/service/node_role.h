// SPDX-License-Identifier: Apache-2.0
// What this node is, and how it becomes something else.
//
// A role change is carried out by the control thread: leave the role (waits end with NOT_MASTER,
// connections close, following stops); cut the log to its last whole record; win an epoch, if the
// node is to be master of a configured set; enter the role (serve, or follow); tell the host. A
// node whose log cannot be cut has no role, and the host is told why.
//
// A node of a set may also lose its role to another node. Then nothing of the older epoch goes on
// from that moment, on the I/O thread; what follows is a role change like any other.
//
// Threads: as said at each method.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ha_plugin/base/outcome.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/service/node_parts.h"
#include "ha_plugin/service/role_change.h"
#include "ha_plugin/service/role_changes.h"

namespace ha {

class NodeRole {
 public:
  // turn: a turn of the I/O thread.
  NodeRole(const NodeParts& parts, RoleChanges& changes, std::uint64_t incarnation,
           std::function<void()> turn);

  // ---- the control thread ----
  // Never throws: what goes wrong is reported to the host.
  void carry_out(const RoleChange& change);
  // A master that may be alone asks whether another node knows of a newer epoch.
  void poll_for_newer_epoch();

  // ---- the I/O thread ----
  core::Role now() const { return role_; }
  // Another node was promised a newer epoch.
  void step_back_for(const std::string& candidate);
  // This master has a rival, who may have failed: it starts again as it would after a crash.
  void restart_campaign(std::int64_t epoch);
  // The set has changed. A slave of a joint set connects again: its HELLO tells the master that the
  // set is durable here.
  void on_new_set();
  // Once a second: a master whose slaves follow another one hears nothing from anybody.
  void poll_if_short_of_copies();
  // The log of this master ends lower than it did.
  void leave_shrunk_log(core::Offset before, core::Offset now);
  // Readers may see the log up to there; nothing happens where there is no such bound.
  void confirm(core::Offset reached);
  // The host names another master, or none, for this slave.
  void follow(const net::Address& master);
  // Where this slave's log comes from, as its master said.
  void set_upstream(const core::Upstream& of_master);

 private:
  void change(RoleChange change);
  bool hand_over(const RoleChange& change);
  void send_the_rest();
  std::int64_t lacks(const std::string& replica);
  void refuse(const RoleChange& change, core::Reason reason, const Outcome& why);
  Outcome cut_to_whole_record(std::int64_t epoch);
  std::string describe(const RoleChange& change) const;
  std::string describe_default_acks(core::Role role) const;

  void leave(core::Reason reason);
  void enter(const RoleChange& change, std::int64_t epoch);
  void end_epoch();
  void queue_after_epoch(core::Role before, RoleChange change);

  const NodeParts parts_;
  RoleChanges& changes_;
  const std::uint64_t incarnation_;
  const std::function<void()> turn_;
  core::Role role_ = core::Role::kNone;
  bool confirm_failed_ = false;  // and the log says so
};

}  // namespace ha
