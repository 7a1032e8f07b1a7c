// SPDX-License-Identifier: Apache-2.0
// Option coordinator at work: a thread that looks at this node and at the engine's keys, and does
// what core/supervisor.h says.
//
// Threads: one of its own, ha-coord, which blocks on the engine and on nothing that a producer
// waits for. It looks at the node on the I/O thread: a node whose I/O thread hangs, or the host's
// hook bounds, does not renew its lease. The public methods are for the control thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ha_plugin/base/outcome.h"
#include "ha_plugin/coordinator/coordinator.h"
#include "ha_plugin/coordinator/orders.h"
#include "ha_plugin/core/members.h"
#include "ha_plugin/core/supervisor.h"
#include "ha_plugin/service/node_parts.h"
#include "ha_plugin/service/node_role.h"
#include "ha_plugin/service/role_changes.h"
#include "ha_plugin/service/set_keeper.h"
#include "metrics/mutex.h"

namespace ha {

class Supervision {
 public:
  // take_set: on the I/O thread, makes a newer set durable and goes by it; returns "", or what
  // failed.
  Supervision(const NodeParts& parts, NodeRole& role, RoleChanges& changes, const SetKeeper& set,
              std::function<std::string(const WrittenSet&)> take_set);

  // Without option coordinator there is nothing to start, and to stop.
  Outcome start();
  // Gives the key back, if the engine answers within a second.
  void stop();

  // What operators ask for by that option, over the engine. Blocks until the engine has it.
  // Accepted is not done: a master hands over once it has read that it is to, and a changed set
  // takes effect step by step.
  Outcome order(const std::string& option, const std::string& value);

  // "" or why the host may not give this node another role now.
  std::string refuses(core::Role role) const;

 private:
  void run();
  void turn();
  core::Look look();
  core::LeaderView leader(core::Time now) const;
  void keep_lease();
  void read_keys();
  void warn_of_stranger();
  void do_step(const core::Step& step);
  void ask();
  void take(const char* why);
  void campaign(const char* why);
  void release(const char* why);
  void step_back(const char* why);
  void hand_over();
  void settle_orders(core::Role role);
  CoordinatorAnswer write(const Orders& orders);
  void do_asked();
  Outcome change_orders(const std::function<void(Orders&)>& change);
  Outcome change_set(const std::string& option, const std::string& value);
  CoordinatorAnswer write_set(const WrittenSet& set);
  WrittenSet set_now() const;
  void take_set();
  void advance_change();
  void hear(const CoordinatorAnswer& answer);
  void publish_lease();
  void note(const std::string& why);
  void wait_until(core::Time when);
  bool stopping() const;
  bool is_in_set(const std::string& id) const;
  core::SupervisorRules rules() const;

  const NodeParts parts_;
  NodeRole& role_;
  RoleChanges& changes_;
  const SetKeeper& set_;  // I/O thread
  const std::function<std::string(const WrittenSet&)> take_set_;
  metrics::CoordinatorMetrics& metrics_;

  std::string own_id_;  // a copy: options change on the I/O thread
  // The thread's.
  std::unique_ptr<Coordinator> engine_;
  core::Supervisor supervisor_;
  std::string control_key_;  // its name, for people
  Lease lease_;
  CoordinatorKeys keys_;
  Orders orders_;               // of keys_.control
  bool wanted_counts_ = false;  // orders_.wanted, in the set
  core::LongestLately round_trip_;
  core::MemberChange change_;
  std::int64_t set_revision_ = 0;  // of keys_.set, which has been dealt with
  std::string set_failed_;         // why it could not be, last
  core::Time read_at_{core::kNever};
  core::Time read_next_{};
  std::vector<std::string> voters_;  // who answered when this node asked last
  bool campaigning_ = false;
  bool handing_over_ = false;
  bool answers_ = true;  // the log says when that changes
  std::minstd_rand chance_;
  std::string stranger_;  // that holds the key and is not of this set
  std::string said_;      // what kept it from becoming master, last

  mutable Mutex mutex_;
  Condition wake_;
  bool stop_ HA_GUARDED_BY(mutex_) = false;
  bool ended_ HA_GUARDED_BY(mutex_) = true;
  std::function<Outcome()> asked_ HA_GUARDED_BY(mutex_);
  std::uint64_t orders_asked_ HA_GUARDED_BY(mutex_) = 0;
  std::optional<Outcome> answered_ HA_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace ha
