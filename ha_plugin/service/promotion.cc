// SPDX-License-Identifier: Apache-2.0
// How a node of a configured set becomes master, and how it makes room for another.

#include <algorithm>
#include <chrono>

#include "ha_plugin/net/candidate/campaign.h"
#include "ha_plugin/service/ha_service.h"

namespace ha {

using core::Prepare;
using core::Reason;
using core::Role;
using core::Status;

namespace {

// A node that starts as master asks again this often until enough others are there.
constexpr auto kAskAgain = std::chrono::milliseconds(500);

}  // namespace

// The epoch that was won; 0 = none: failed says why, or another node is master and change has
// become one to its slave.
std::int64_t HaService::campaign(RoleChange& change, Reason& reason, Outcome& failed) {
  std::string said;
  for (;;) {
    std::int64_t epoch = 0;
    try {
      epoch = run_once(change, reason, failed);
    } catch (const std::exception& e) {  // no descriptors for the sockets, mostly
      reason = Reason::kHostError;
      failed = {Status::kIo, std::string("cannot ask the other nodes: ") + e.what()};
    }
    if (!change.patient || change.role != Role::kMaster || epoch != 0) return epoch;
    if (failed.text != said) {
      said = failed.text;
      host_.warn("not master yet, asking again: " + said);
    }
    if (wait_for_another_change()) return 0;  // failed says why it is not master by then
    failed = {};
  }
}

// One try: ask, promise oneself, have it promised by the others, enter the epoch.
std::int64_t HaService::run_once(RoleChange& change, Reason& reason, Outcome& failed) {
  core::Term term;
  core::Candidacy candidacy{settings_.replica_id,
                            static_cast<std::int32_t>(settings_.replicas.nodes.size()),
                            static_cast<std::int32_t>(settings_.copies_by_default()),
                            {},
                            change.force};
  std::chrono::milliseconds timeout{};
  io_.run_sync([&] {
    const core::LogBounds log = read_bounds();
    terms_.trim(log.min, log.end);
    term = terms_.now();
    candidacy.position = terms_.position(log.end);
    timeout = std::chrono::milliseconds(settings_.prepare_timeout_ms);
  });
  const auto lost = [&](const core::Verdict& verdict) {
    reason = verdict.reason;
    const bool again = verdict.reason != Reason::kBehind && verdict.reason != Reason::kSetDiffers;
    failed = {again ? Status::kAgain : Status::kConflict, verdict.text};
    return 0;
  };

  Prepare prepare{Prepare::Mode::kAsk,  std::max(term.known() + 1, change.epoch),
                  candidacy.position,   settings_.cluster_id,
                  settings_.replica_id, settings_.set_text()};
  const auto enough = static_cast<std::size_t>(std::max(candidacy.needed() - 1, 0));
  // Who starts wants to know who is master; who is told to be it wants enough promises.
  std::vector<core::Heard> heard = ask_others(prepare, timeout, change.patient ? SIZE_MAX : enough);
  if (const core::Promise* master = core::master_among(heard);
      master != nullptr && change.patient) {
    host_.info("'" + master->id + "' is master; this node follows it");
    follow_instead(change, address_of(master->id));
    return 0;
  }
  core::Verdict verdict = core::judge_round(candidacy, heard);
  if (verdict.reason != Reason::kNone) return lost(verdict);

  prepare.epoch = std::max(core::next_epoch(term, heard), change.epoch);
  prepare.mode = change.force ? Prepare::Mode::kForce : Prepare::Mode::kPromise;
  const auto keep = [&](auto&& next) {
    io_.run_sync([&] {
      if (terms_.now() != term) {
        verdict = {Reason::kEpoch, "another node was promised a newer epoch meanwhile"};
        failed.status = Status::kEpoch;
        return;
      }
      if (std::string wrong = terms_.set(next); !wrong.empty()) {
        verdict = {Reason::kHostError, std::move(wrong)};
        failed.status = Status::kIo;
        return;
      }
      term = terms_.now();
    });
    if (verdict.reason == Reason::kNone) return true;
    reason = verdict.reason;
    failed.text = verdict.text;
    return false;
  };
  // Before anybody else promises it: a candidate that forgot could go for the same epoch twice.
  if (!keep(core::promised_by(term, prepare.epoch, settings_.replica_id))) return 0;
  heard = ask_others(prepare, timeout, enough);
  verdict = core::judge_round(candidacy, heard);
  if (verdict.reason != Reason::kNone) return lost(verdict);
  const std::string who = std::exchange(verdict.text, {});
  core::Term next = term;
  if (!next.history.enter({prepare.epoch, candidacy.position.end, settings_.replica_id})) {
    failed = {Status::kInternal,
              "its history does not take epoch " + std::to_string(prepare.epoch)};
    return 0;
  }
  if (!keep(next)) return 0;
  change.note = "epoch " + std::to_string(prepare.epoch) + " begins at " +
                std::to_string(candidacy.position.end.bytes()) + ": " + who;
  if (change.force) {
    change.note += "; it was forced: acknowledged messages that only other nodes hold are lost";
    host_.warn(change.note);
  }
  return prepare.epoch;
}

std::vector<core::Heard> HaService::ask_others(const Prepare& prepare,
                                               std::chrono::milliseconds timeout,
                                               std::size_t enough) {
  return net::ask_nodes(others_, prepare, timeout, resolver_, enough, [this] {
    const std::lock_guard lock(mutex_);
    return control_stop_;
  });
}

void HaService::follow_instead(RoleChange& change, const net::Address& master) {
  change.role = Role::kSlave;
  change.master = master;
  change.reason = Reason::kEpoch;
  const std::lock_guard lock(mutex_);
  if (!changes_.empty()) return;
  wanted_role_ = Role::kSlave;
  master_ = master;
}

// False = the time is up and nothing came.
bool HaService::wait_for_another_change() {
  std::unique_lock lock(mutex_);
  return control_wake_.wait_for(lock, kAskAgain,
                                [this] { return control_stop_ || !changes_.empty(); });
}

// At once, on the I/O thread, nothing of an older epoch goes on here; then, on the control thread,
// the host is told and the candidate is followed.
void HaService::yield_to(const std::string& candidate) {
  const Role before = role_;
  {
    // Without a role because the host wants none; else because a change is under way, or failed.
    const std::lock_guard lock(mutex_);
    if (before == Role::kNone && asked_role_ == Role::kNone) return;
  }
  end_epoch();
  RoleChange change;
  change.role = Role::kSlave;
  change.master = address_of(candidate);
  queue_after_epoch(before, change);
}

// This master has a rival, who may have failed: it starts again as it would after a crash.
void HaService::ask_anew(std::int64_t epoch) {
  const Role before = role_;
  if (before != Role::kMaster) return;
  end_epoch();
  RoleChange change;
  change.role = Role::kMaster;
  change.epoch = epoch;
  change.patient = true;
  queue_after_epoch(before, change);
}

// REQUIRES: it is one of others_.
const net::Address& HaService::address_of(const std::string& node) const {
  return std::find_if(others_.begin(), others_.end(),
                      [&](const auto& one) { return one.id == node; })
      ->address;
}

// A master whose slaves follow another one hears nothing from anybody.
void HaService::look_if_alone() {
  if (terms_.mastered() == 0) return;
  if (transfer_.tracker().replicas() + 1 >= settings_.copies_by_default()) return;
  {
    const std::lock_guard lock(mutex_);
    look_due_ = true;
  }
  control_wake_.notify_all();
}

// On the control thread. Whoever knows of a newer epoch will not follow this master any more.
void HaService::look_around() {
  Prepare prepare{Prepare::Mode::kAsk, 0, {}, settings_.cluster_id, settings_.replica_id,
                  settings_.set_text()};
  std::int64_t epoch = 0;
  std::chrono::milliseconds timeout{};
  io_.run_sync([&] {
    epoch = terms_.mastered();
    prepare.epoch = terms_.now().known() + 1;
    prepare.position = terms_.position(read_bounds().end);
    timeout = std::chrono::milliseconds(settings_.prepare_timeout_ms);
  });
  if (epoch == 0) return;
  const std::vector<core::Heard> heard = ask_others(prepare, timeout, SIZE_MAX);
  std::int64_t newest = 0;
  for (const core::Heard& one : heard) {
    if (one.promise) newest = std::max(newest, one.promise->known);
  }
  if (newest <= epoch || newest > epoch + core::kMaxEpochJump) return;
  host_.warn("another node knows of epoch " + std::to_string(newest) + "; this one is master of " +
             std::to_string(epoch) + ", and asks all nodes anew");
  io_.run_sync([&] {
    if (terms_.mastered() == epoch) ask_anew(newest + 1);
  });
}

void HaService::end_epoch() {
  transfer_.set_master(false);
  terms_.set_mastered(0);
  accept_.close_replicas(Reason::kEpoch);
  client_.stop(Reason::kRoleChanged);
  transfer_.fail_all(Status::kEpoch);
  role_ = Role::kNone;
}

void HaService::queue_after_epoch(Role before, const RoleChange& change) {
  {
    const std::lock_guard lock(mutex_);
    if (control_stop_) return;
    // A host that was master must have stopped appending before its log can be cut.
    RoleChange none;
    none.reason = Reason::kEpoch;
    if (before == Role::kMaster) changes_.push_back(none);
    changes_.push_back(change);
    changes_.back().reason = Reason::kEpoch;
    wanted_role_ = change.role;
    master_ = change.master;
  }
  control_wake_.notify_all();
}

}  // namespace ha
