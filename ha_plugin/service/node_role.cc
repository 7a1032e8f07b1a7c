// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/node_role.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "ha_plugin/service/promotion.h"
#include "metrics/names.h"

namespace ha {

using core::Offset;
using core::Reason;
using core::Role;
using core::Status;

namespace {

// A successor that lacks more than that keeps producers waiting for too long.
constexpr std::int64_t kMostToHandOver = std::int64_t{4} << 20;
constexpr auto kHandOverPatience = std::chrono::seconds(2);
constexpr auto kStepDownPatience = std::chrono::seconds(1);
constexpr auto kLookAtAcks = std::chrono::milliseconds(2);

}  // namespace

NodeRole::NodeRole(const NodeParts& parts, RoleChanges& changes, std::uint64_t incarnation,
                   std::function<void()> turn)
    : parts_(parts), changes_(changes), incarnation_(incarnation), turn_(std::move(turn)) {}

// ---- the control thread ----------------------------------------------------------------------

void NodeRole::carry_out(const RoleChange& wanted) {
  try {
    change(wanted);
  } catch (const std::exception& e) {
    try {
      parts_.io.run_sync([this] { leave(Reason::kHostError); });
      refuse(wanted, Reason::kHostError, {Status::kIo, e.what()});
    } catch (const std::exception& again) {
      parts_.host.log(HA_LOG_ERROR, again.what());
    }
  }
}

void NodeRole::change(RoleChange change) {
  if (!change.hand_over_to.empty()) {
    if (!hand_over(change)) return;
  } else if (change.role != Role::kMaster && change.reason == Reason::kRequested) {
    send_the_rest();
  }
  std::int64_t known = 0;
  parts_.io.run_sync([&] {
    leave(Reason::kRoleChanged);
    known = parts_.terms.current().known();
  });
  if (change.role != Role::kNone) {
    if (const Outcome cut = cut_to_whole_record(known); !cut.ok()) {
      change.follow_if_refused = false;  // a slave's log has to be cut too
      return refuse(change, Reason::kHostError, cut);
    }
  }
  std::int64_t epoch = 0;
  std::string set;
  if (change.role == Role::kMaster && parts_.terms.keeps_epochs()) {
    const Promotion::Result result = Promotion(parts_, changes_, change).run();
    if (const auto* lost = std::get_if<Promotion::Lost>(&result)) {
      return refuse(change, lost->reason, lost->why);
    }
    if (const auto* won = std::get_if<Promotion::Won>(&result)) {
      epoch = won->epoch;
      set = won->set;
      change.note = won->note;
    } else {
      change.role = Role::kSlave;
      change.master = std::get<Promotion::Follow>(result).master;
      change.reason = Reason::kEpoch;
      changes_.settle(Role::kSlave, change.master);
    }
  }
  // The host hears of the role after the plugin has entered it, because a master's first append may
  // come from inside role_changed. The host's threads see the role from here on.
  bool outrun = false;
  bool changed = false;
  parts_.io.run_sync([&] {
    // Another candidate may have had this node's promise meanwhile, or the set has changed by whose
    // count this node was promised that epoch.
    outrun = epoch != 0 && parts_.terms.current().promised != epoch;
    changed = epoch != 0 && parts_.settings.set_text() != set;
    if (!outrun && !changed) enter(change, epoch);
  });
  if (outrun) {
    return refuse(change, Reason::kEpoch,
                  {Status::kEpoch, "another node was promised a newer epoch meanwhile"});
  }
  if (changed) {
    return refuse(change, Reason::kSetDiffers,
                  {Status::kConflict, "the set has changed meanwhile"});
  }
  std::string text = describe(change);
  if (!change.note.empty()) text += "; " + change.note;
  // The host keeps the report's text for as long as the role lasts, and options may change under
  // it: only the log line, which has its time, says what holds now.
  parts_.host.info(text + describe_default_acks(change.role));
  parts_.host.role_changed({change.role, change.reason, Status::kOk, text, epoch, change.number});
}

// What that replica of this master lacks; -1: it is not there, or this node is not master.
std::int64_t NodeRole::lacks(const std::string& replica) {
  std::int64_t bytes = -1;
  parts_.io.run_sync([&] {
    const Offset ack = parts_.transfer.tracker().ack_of(replica);
    if (role_ == Role::kMaster && ack != core::kNoOffset) bytes = parts_.bounds.read().end - ack;
  });
  return bytes;
}

// Returns false if this node stays what it is. Its successor must hold all of the log, so the host
// appends nothing while the rest of it is sent.
bool NodeRole::hand_over(const RoleChange& change) {
  const auto stay = [&](const std::string& why) {
    changes_.settle(Role::kMaster, {});
    parts_.host.warn(fmt::format("cannot hand over to '{}': {}", change.hand_over_to, why));
    return false;
  };
  const std::int64_t lag = lacks(change.hand_over_to);
  if (lag < 0) return stay("it is not a slave of this node now");
  if (lag > kMostToHandOver) {
    return stay(fmt::format("it lacks {} bytes; try again when it has caught up", lag));
  }
  std::int64_t epoch = 0;
  parts_.io.run_sync([&] { epoch = parts_.terms.own_epoch(); });
  const std::string text = fmt::format("this node hands over to '{}'", change.hand_over_to);
  parts_.host.info(text);
  parts_.host.role_changed({Role::kNone, change.reason, Status::kOk, text, epoch, 0});
  const auto patience = std::chrono::steady_clock::now() + kHandOverPatience;
  for (;;) {
    const std::int64_t rest = lacks(change.hand_over_to);
    if (rest == 0) return true;
    std::int64_t now = 0;
    parts_.io.run_sync([&] { now = parts_.terms.own_epoch(); });
    if (now != epoch) return false;  // another node has this node's promise; what follows is queued
    if (rest < 0 || std::chrono::steady_clock::now() >= patience) break;
    if (changes_.wait_for_another(kLookAtAcks)) break;
  }
  // Nothing of this epoch has ended: the host goes on where it was.
  parts_.host.role_changed({Role::kMaster, change.reason, Status::kOk,
                            "this node is still master: its successor did not keep up", epoch, 0});
  return stay("it did not hold all of the log in time");
}

// The host of a master appends nothing since it asked for another role. Slaves that keep up get
// what is left, so that one of them can take over: this node alone would hold more. Waits for
// what they hold end with OK.
void NodeRole::send_the_rest() {
  const auto patience = std::chrono::steady_clock::now() + kStepDownPatience;
  for (bool sent = false; !sent;) {
    parts_.io.run_sync([&] {
      sent = true;
      if (role_ != Role::kMaster) return;
      parts_.transfer.stop_degraded_answers();
      turn_();
      const Offset end = parts_.bounds.read().end;
      const TransferService& transfer = parts_.transfer;
      sent = role_ != Role::kMaster || (transfer.all_hold(end) && !transfer.owes_answers(end));
    });
    if (std::chrono::steady_clock::now() >= patience) return;
    if (!sent && changes_.wait_for_stop(kLookAtAcks)) return;
  }
}

void NodeRole::refuse(const RoleChange& change, Reason reason, const Outcome& why) {
  const std::string text = fmt::format(
      "cannot become {}: {}", metrics::role_name(static_cast<std::int32_t>(change.role)), why.text);
  parts_.host.log(HA_LOG_ERROR, text);
  RoleChange instead;
  if (change.follow_if_refused) instead.role = Role::kSlave;
  changes_.settle(instead.role, {});
  if (instead.role == Role::kSlave) parts_.io.run_sync([&] { enter(instead, 0); });
  parts_.host.role_changed({instead.role, reason, why.status, text, 0, change.number});
}

Outcome NodeRole::cut_to_whole_record(std::int64_t epoch) {
  ha_bounds bounds{};
  if (HostResult r = parts_.host.bounds(bounds); !r.ok()) return {r.status, r.text};
  Offset floor;
  if (HostResult r = parts_.host.record_floor(Offset(bounds.end), floor); !r.ok()) {
    return {r.status, r.text};
  }
  if (floor.bytes() == bounds.end) return {};
  if (HostResult r = parts_.host.truncate(epoch, floor); !r.ok()) return {r.status, r.text};
  parts_.host.info(
      fmt::format("cut the log from {} to {}, its last whole record", bounds.end, floor.bytes()));
  return {};
}

std::string NodeRole::describe(const RoleChange& change) const {
  switch (change.role) {
    case Role::kMaster:
      return "this node became master";
    case Role::kSlave:
      if (change.master.host.empty() && parts_.terms.keeps_epochs()) {
        return "this node became a slave and looks for its master among option 'replicas'";
      }
      return change.master.host.empty() ? "this node became a slave without a master's address"
                                        : "this node became a slave of " + change.master.text();
    case Role::kNone:
      break;
  }
  return "this node has no role";
}

std::string NodeRole::describe_default_acks(Role role) const {
  if (role != Role::kMaster) return "";
  const std::int32_t copies = parts_.transfer.policy().in_sync_replicas;
  if (copies == 1 && !parts_.terms.keeps_epochs()) {
    return "; option 'in_sync_replicas' is 1: waits with default acks wait for nobody";
  }
  return fmt::format("; default acks wait for {} copies, its own included", copies);
}

// A node that knows of a newer epoch will not follow this master any more.
void NodeRole::poll_for_newer_epoch() {
  try {
    std::int64_t epoch = 0;
    parts_.io.run_sync([&] { epoch = parts_.terms.own_epoch(); });
    if (epoch == 0) return;
    const std::int64_t newest = Promotion(parts_, changes_, {}).newest_epoch_elsewhere();
    if (newest <= epoch || newest > core::epoch_above(epoch, core::kMaxEpochJump)) return;
    parts_.host.warn(fmt::format(
        "another node knows of epoch {}; this one is master of {} and asks all nodes again", newest,
        epoch));
    parts_.io.run_sync([&] {
      if (parts_.terms.own_epoch() == epoch) restart_campaign(core::epoch_above(newest));
    });
  } catch (const std::exception& e) {
    parts_.host.warn(std::string("cannot ask the other nodes: ") + e.what());
  }
}

// ---- the I/O thread --------------------------------------------------------------------------

void NodeRole::leave(Reason reason) {
  parts_.transfer.set_master(false);
  parts_.replicas.set_serving(false);
  parts_.replicas.close_all(reason);
  parts_.client.stop(reason);
  parts_.transfer.fail_all(Status::kNotMaster);
  parts_.terms.set_own_epoch(0);
  role_ = Role::kNone;
  parts_.metrics.role.set(HA_ROLE_NONE);
}

void NodeRole::enter(const RoleChange& change, std::int64_t epoch) {
  parts_.replicas.forget_history();
  // The log may have been cut. From here on a master's only grows.
  const Offset end = parts_.bounds.read().end;
  parts_.bounds.take_shrunk_from();
  role_ = change.role;
  parts_.metrics.role.set(static_cast<std::int64_t>(change.role));
  parts_.metrics.role_changes.add();
  // A peer that was greeted by a node without a role would take this node for what it was.
  if (epoch != 0) parts_.replicas.close_all(Reason::kRoleChanged);
  parts_.terms.set_own_epoch(epoch);
  if (epoch != 0)
    parts_.transfer.set_members(parts_.settings.members(), parts_.settings.replica_id);
  parts_.transfer.set_master(change.role == Role::kMaster, epoch, parts_.terms.own_epoch_start());
  if (change.role == Role::kMaster) parts_.degraded.begin(end);
  // From here on readers have a bound, which rises as copies arrive.
  confirm(Offset(0));
  set_upstream({});
  parts_.replicas.set_serving(change.role != Role::kNone);
  if (change.role == Role::kSlave) {
    const net::Address master = changes_.master_for(change);
    if (!master.host.empty() || parts_.terms.keeps_epochs()) parts_.client.follow(master);
  }
  turn_();
}

void NodeRole::step_back_for(const std::string& candidate) {
  const Role before = role_;
  // Without a role because the host wants none; else because a change is under way, or failed.
  if (before == Role::kNone && changes_.asked() == Role::kNone) return;
  end_epoch();
  RoleChange change;
  change.role = Role::kSlave;
  change.master = address_of(parts_.settings.replicas.nodes, candidate);
  queue_after_epoch(before, std::move(change));
}

void NodeRole::on_new_set() {
  const Settings& settings = parts_.settings;
  const core::Members set = settings.members();
  if (role_ == Role::kSlave) {
    if (!set.joint() && parts_.client.is_served()) return parts_.client.on_new_nodes();
    return parts_.client.follow(changes_.master());
  }
  if (role_ != Role::kMaster || parts_.terms.own_epoch() == 0) return;
  if (!set.deposes(settings.replica_id, parts_.terms.own_epoch())) {
    parts_.transfer.set_members(set, settings.replica_id);
    parts_.replicas.close_strangers();
    return;
  }
  parts_.host.warn("this node is not master any more by the set's newer version: " + set.text());
  end_epoch();
  RoleChange change;
  change.role = Role::kSlave;
  queue_after_epoch(Role::kMaster, std::move(change));
}

void NodeRole::restart_campaign(std::int64_t epoch) {
  if (role_ != Role::kMaster) return;
  end_epoch();
  RoleChange change;
  change.role = Role::kMaster;
  change.epoch = epoch;
  change.keep_trying = true;
  queue_after_epoch(Role::kMaster, std::move(change));
}

void NodeRole::end_epoch() {
  parts_.transfer.set_master(false);
  parts_.terms.set_own_epoch(0);
  parts_.replicas.close_replicas(Reason::kEpoch);
  parts_.client.stop(Reason::kRoleChanged);
  parts_.transfer.fail_all(Status::kEpoch);
  role_ = Role::kNone;
}

void NodeRole::queue_after_epoch(Role before, RoleChange change) {
  std::vector<RoleChange> changes;
  // A host that was master must have stopped appending before its log can be cut.
  if (before == Role::kMaster) changes.emplace_back().reason = Reason::kEpoch;
  change.reason = Reason::kEpoch;
  changes.push_back(std::move(change));
  changes_.queue(changes);
}

void NodeRole::poll_if_short_of_copies() {
  if (parts_.terms.own_epoch() == 0) return;
  if (parts_.transfer.tracker().replicas() + 1 >= parts_.settings.copies_by_default()) return;
  changes_.do_soon(RoleChanges::Chore::kPollForNewerEpoch);
}

// What slaves hold beyond the new end would stay there, and would be taken for what the host
// appends next.
void NodeRole::leave_shrunk_log(Offset before, Offset now) {
  RoleChange none;
  none.reason = Reason::kHostMisuse;
  none.note = fmt::format(
      "the host's log went back from {} to {} while this node was its master, and slaves may hold "
      "what is gone: a master's log only grows; set the role again once the host is fixed",
      before.bytes(), now.bytes());
  parts_.host.log(HA_LOG_HOST_MISUSE, none.note);
  leave(none.reason);
  changes_.queue({none});
}

void NodeRole::confirm(Offset reached) {
  const std::int64_t epoch = parts_.terms.own_epoch();
  if (epoch == 0 || !parts_.host.can_confirm()) return;
  const HostResult result = parts_.host.confirm(epoch, reached);
  if (!result.ok() && !confirm_failed_) {
    parts_.host.log(HA_LOG_ERROR, "readers are not shown more: " + result.text);
  }
  confirm_failed_ = !result.ok();
}

void NodeRole::follow(const net::Address& master) {
  // Until the role holds, enter() takes the address up.
  if (role_ != Role::kSlave) return;
  set_upstream({});
  if (master.host.empty()) {
    parts_.client.stop(Reason::kRequested);
  } else {
    parts_.client.follow(master);
  }
}

void NodeRole::set_upstream(const core::Upstream& of_master) {
  using Root = core::Upstream::Root;
  core::Upstream own{Root::kMaster, {incarnation_}};
  if (role_ != Role::kMaster) {
    const bool alone = of_master.incarnations.empty() && changes_.master().host.empty();
    own.root = alone ? Root::kNobody : of_master.root;
    own.incarnations.insert(own.incarnations.end(), of_master.incarnations.begin(),
                            of_master.incarnations.end());
  }
  parts_.replicas.set_upstream(own);
}

}  // namespace ha
