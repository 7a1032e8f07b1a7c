// SPDX-License-Identifier: Apache-2.0
// What goes wrong in a run, what its operator does about it, and that it ends well.
#include <algorithm>

#include "tests/sim/engine.h"
#include "tests/sim/node.h"
#include "tests/sim/register.h"

namespace ha::sim {

void Cluster::make_fault() {
  Node& node = any();
  const std::uint32_t i = node.index();
  switch (rng_.below(config_.retention ? 12 : 10)) {
    case 0:
    case 1:
      if (config_.power_losses && rng_.percent(15)) return black_out();
      if (!config_.crashes || !node.up()) return;
      return crash(i, config_.power_losses && rng_.percent(50));
    case 2:
    case 3:
      if (config_.cuts) cut_something();
      return;
    case 4:
      if (!config_.resets) return;
      ++stats_.at[Stats::kResets];
      return net_.reset_some(rng_.between(10, 100));
    case 5:
      if (!config_.stops || !node.up()) return;
      ++stats_.at[Stats::kStops];
      say([&] { return node.id() + " is stopped"; });
      return node.stop_until(now_ + kMs * rng_.between(5, 150));
    case 6:
      if (!config_.full_disks || !node.up()) return;
      ++stats_.at[Stats::kDiskFull];
      return node.fill_disk(now_ + kMs * rng_.between(5, 200));
    case 8:
    case 9:
      if (config_.leaps) leap();
      return;
    case 10:
    case 11:
      if (newest_master() != nullptr) newest_master()->delete_old();
      return;
    default:
      ++stats_.at[Stats::kClockJumps];
      node.jump_clock(kMs * rng_.between(1, 60));
  }
}

void Cluster::black_out() {
  ++stats_.at[Stats::kBlackouts];
  const std::int64_t percent = rng_.between(40, 100);
  for (const auto& node : nodes_) {
    if (node->up() && rng_.percent(percent)) crash(node->index(), true);
  }
}

void Cluster::cut_something() {
  if (rng_.percent(45)) return net_.heal();
  const std::uint32_t a = any().index();
  const std::uint32_t b = any().index();
  if (rng_.percent(40)) {
    ++stats_.at[Stats::kOneWayCuts];
    say([&] { return "from " + nodes_[a]->id() + " to " + nodes_[b]->id() + " nothing comes"; });
    if (a != b) net_.set_cut(a, b, true);
    return;
  }
  ++stats_.at[Stats::kCuts];
  const bool alone = rng_.percent(50);
  for (const auto& node : nodes_) {
    const std::uint32_t c = node->index();
    if (c == a || (!alone && c != b)) continue;
    cut_off(a, c);
  }
}

void Cluster::cut_off(std::uint32_t a, std::uint32_t b) {
  say([&] { return nodes_[a]->id() + " and " + nodes_[b]->id() + " are cut off"; });
  net_.set_cut(a, b, true);
  net_.set_cut(b, a, true);
}

// The master is cut off with what it alone holds, and another takes over: done again and again, it
// makes logs that part and masters that come back.
void Cluster::leap() {
  const Node* const master = newest_master();
  if (master == nullptr) return;
  ++stats_.at[Stats::kLeaps];
  net_.heal();
  const Node* next = nullptr;
  for (const auto& node : nodes_) {
    if (node.get() == master) continue;
    if (rng_.percent(85)) cut_off(master->index(), node->index());
    if (!node->up() || rng_.percent(20)) continue;
    if (next == nullptr || node->position() > next->position()) next = node.get();
  }
  if (next == nullptr || engine_) return;
  agenda_.add(now_ + kMs, What::kPromote, next->index());
  if (rng_.percent(50)) agenda_.add(now_ + kMs * 40, What::kPromote, next->index());
  Node& full = any();
  if (config_.full_disks) full.fill_disk(now_ + kMs * rng_.between(5, 200));
}

// He promotes somebody when there is no master, and sometimes when there is; he tells those without
// a master whom to follow, mostly rightly.
void Cluster::move_operator() {
  change_set();
  if (engine_) return;
  Node* const master = newest_master();
  const bool promoting =
      std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->promoting(); });
  if ((master == nullptr && (!promoting || rng_.percent(20))) ||
      rng_.percent(config_.promote_percent)) {
    promote_somebody();
  }
  for (const auto& node : nodes_) {
    if (!node->up() || node->promoting()) continue;
    const bool wrong =
        !node->idle() && node->target() && master != nullptr && *node->target() != master->index();
    if (!node->idle() && !(wrong && rng_.percent(50)) && !rng_.percent(3)) continue;
    if (node->master() && rng_.percent(80)) continue;
    Node& whom = master != nullptr && rng_.percent(85) ? *master : any();
    if (&whom == node.get()) continue;
    in(node->index(), [&](Node& n) { n.follow(whom.index()); });
  }
}

// A master is told, mostly the newest.
void Cluster::change_set() {
  if (!register_ || !register_->rng().percent(30)) return;
  Node* master = newest_master();
  for (const auto& node : nodes_) {
    if (node->master() && register_->rng().percent(20)) master = node.get();
  }
  if (master == nullptr || master->stopped_until() > now_) return;
  in(master->index(), [](Node& n) { n.order_change(); });
}

void Cluster::promote_somebody() {
  Node* best = &any();
  if (rng_.percent(50)) {
    for (const auto& node : nodes_) {
      if (node->up() && (!best->up() || node->position() > best->position())) best = node.get();
    }
  }
  agenda_.add(now_ + kUs, What::kPromote, best->index());
  if (!rng_.percent(25)) return;
  agenda_.add(now_ + kUs * rng_.between(1, 4000), What::kPromote, any().index());
}

// ---- the end ----

void Cluster::make_calm() {
  Node* const master = newest_master();
  if (config_.degrades() && config_.crashes && master != nullptr && rng_.percent(30)) {
    in(master->index(), [](Node& n) { n.tear(); });
  }
  calm_ = net_.calm = true;
  if (engine_) engine_->be_honest();
  if (register_) register_->be_honest();
  say([] { return std::string("from here on nothing goes wrong"); });
  net_.heal();
  for (const auto& node : nodes_) {
    node->stop_until(Time{});
    node->fill_disk(Time{});
    if (!node->up()) agenda_.add(now_, What::kRestart, node->index());
  }
  run_for(kMs * 10);
}

void Cluster::run_for(Time time) {
  const Time until = now_ + time;
  while (now_ < until) step();
}

// Nobody promotes.
bool Cluster::master_appears() {
  const auto is_there = [this] { return newest_master() != nullptr; };
  for (int i = 0; i < 60 && !is_there(); ++i) run_for(kMs * 10);
  return is_there();
}

bool Cluster::elect() {
  if (engine_) return master_appears();
  Node* best = nullptr;
  for (const auto& node : nodes_) {
    if (!node->members().counts(node->id())) continue;
    if (best == nullptr || node->position() > best->position()) best = node.get();
  }
  agenda_.add(now_, What::kPromote, best->index());
  for (int i = 0; i < 12; ++i) {
    run_for(kMs * 10);
    if (best->master()) return true;
  }
  return false;
}

bool Cluster::all_follow(Node& master) {
  const core::Offset end = master.disk().end();
  bool all = true;
  for (const auto& node : nodes_) {
    if (node.get() == &master || !is_member(*node)) continue;
    if (node->diverged() || node->stranded()) {
      node->empty_store();
      in(node->index(), [](Node& n) { n.rest(); });
    }
    if (node->target() != master.index()) {
      in(node->index(), [&](Node& n) { n.follow(master.index()); });
    }
    // Each has forgotten the epochs below its own first byte.
    const core::Offset min = std::max(node->disk().log().min, master.disk().log().min);
    core::EpochHistory mine = node->term().history;
    core::EpochHistory its = master.term().history;
    mine.truncate_prefix(min);
    its.truncate_prefix(min);
    all = all && node->disk().end() == end && mine == its;
  }
  return all;
}

bool Cluster::acknowledged_by_all(Node& master) {
  const auto all = static_cast<std::int32_t>(master.members().ids().size());
  const auto wait = master.produce(all, rng_.percent(50), kMs * 300);
  if (!wait) return false;
  run_for(kMs * 150);
  if (!checker_.over(*wait) || (checker_.status_of(*wait) != core::Status::kOk &&
                                checker_.status_of(*wait) != core::Status::kDone)) {
    return false;
  }
  // Flushes may take longer than the policy has patience.
  return !checker_.below(*wait) || all_healed();
}

// Each in its time: the master's range first, then those that slaves have of old.
bool Cluster::all_healed() {
  const auto healed = [this] {
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [this](const auto& n) { return is_member(*n) && n->degraded(); });
  };
  for (int i = 0; i < 8 && !healed(); ++i) run_for(kMs * 20);
  return healed();
}

bool Cluster::is_member(const Node& node) const {
  if (!register_) return true;
  const std::vector<std::string> all = register_->value().ids();
  return std::find(all.begin(), all.end(), node.id()) != all.end();
}

bool Cluster::change_ends() {
  const auto ended = [this] {
    return !register_ ||
           (register_->value().stable() &&
            std::none_of(nodes_.begin(), nodes_.end(), [this](const auto& n) {
              return is_member(*n) && n->members().version != register_->value().version;
            }));
  };
  for (int i = 0; i < 8 && !ended(); ++i) run_for(kMs * 20);
  return ended();
}

void Cluster::converge() {
  std::string how = "no master";
  for (int tries = 0; tries < 12; ++tries) {
    if (!elect()) continue;
    Node& master = *newest_master();
    for (int i = 0; i < 20 && master.master() && !all_follow(master); ++i) run_for(kMs * 30);
    how = "a master, but not everybody follows";
    if (!master.master() || !all_follow(master)) continue;
    how = "everybody follows, but the change of the set does not end";
    if (!change_ends() || !master.master() || !all_follow(master)) continue;
    how = "everybody follows, but what was answered below policy does not heal";
    if (!all_healed() || !master.master()) continue;
    how = "everybody follows, but a wait for all copies did not end OK";
    if (!acknowledged_by_all(master)) continue;
    compare_all();
    for (const auto& node : nodes_) {
      if (is_member(*node) && node->disk().end() != master.disk().end())
        throw Violation("the logs do not converge");
    }
    in(master.index(), [](Node& n) { n.rest(); });
    return checker_.at_the_end();
  }
  throw Violation("the cluster does not recover: " + how);
}

}  // namespace ha::sim
