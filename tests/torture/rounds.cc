// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/rounds.h"

#include <algorithm>
#include <utility>

namespace ha::torture {
namespace {

// Pace. How long traffic is left alone before and after faults, and how long an operator looks on
// before he promotes somebody.
constexpr int kHealthyMs[] = {1000, 3000};
constexpr int kBetweenFaultsMs = 1500;
constexpr int kAfterMs[] = {500, 2500};
// Nodes with a coordinator wait for their lease's end, or three times that.
constexpr int kAfterWithCoordinatorMs[] = {500, 8000};
constexpr int kLookOnMs[] = {500, 2000};
// Of a promotion that was accepted, until the first acknowledgement.
constexpr Milliseconds kTakesUpWork{3000};
// With faults still there a master may be impossible; without them it is not.
constexpr Milliseconds kAmidFaults{12'000};
constexpr Milliseconds kHealed{90'000};
// How long nodes may take to find together before an operator helps, and how often he tries.
constexpr Milliseconds kFindTogether{15'000};
constexpr int kMostHelp = 5;

}  // namespace

void Rounds::begin() {
  for (int i = 0; i < kNodes; ++i) {
    world_.node(i).start(i == 0 && world_.etcd() == nullptr ? "master" : "slave");
  }
  producers_.resume();
  if (!make_it_work(Milliseconds(5000), kHealed)) throw Failure("the set does not begin to work");
}

void Rounds::round() {
  world_.say("round " + std::to_string(done_ + 1));
  producers_.resume();
  world_.wait(Milliseconds(world_.between(kHealthyMs[0], kHealthyMs[1])));
  if (!acks_come(kHealed)) throw Failure("a healthy set acknowledges nothing");
  const int faults = world_.between(1, 3);
  std::vector<std::string> kinds;
  for (int i = 0; i < faults; ++i) {
    if (i > 0) world_.wait(Milliseconds(world_.between(0, kBetweenFaultsMs)));
    const Injected fault = inject(world_, tally_);
    kinds.push_back(fault.kind);
    world_.say("  " + fault.what);
  }
  make_it_work(Milliseconds(world_.between(kLookOnMs[0], kLookOnMs[1])), kAmidFaults);
  const auto& after = world_.etcd() != nullptr ? kAfterWithCoordinatorMs : kAfterMs;
  world_.wait(Milliseconds(world_.between(after[0], after[1])));
  world_.say("  healed");
  world_.heal();
  if (!make_it_work(kTakesUpWork, kHealed)) throw Failure("stuck: no master, though all is healed");
  world_.wait(Milliseconds(world_.between(0, kAfterMs[0])));
  gaps_.push_back({producers_.clock().longest_gap(), std::move(kinds)});
  come_to_rest();
  ++done_;
  world_.say("  all is well; " + std::to_string(ledger_.acknowledged()) +
             " acknowledged so far; longest time without: " +
             std::to_string(gaps_.back().time.count()) + " ms");
}

void Rounds::finish() {
  if (const std::string wrong = check_.all(); !wrong.empty()) throw Failure(wrong);
}

bool Rounds::acks_come(Milliseconds within) {
  const std::size_t before = producers_.clock().acks();
  return world_.wait_until([&] { return producers_.clock().acks() > before; }, within);
}

bool Rounds::make_it_work(Milliseconds patience, Milliseconds deadline) {
  const auto end = system::Clock::now() + deadline;
  if (world_.etcd() != nullptr) return acks_come(deadline);
  if (acks_come(patience)) return true;
  while (system::Clock::now() < end) {
    if (promote_in_turn() || acks_come(Milliseconds(500))) return true;
  }
  return false;
}

// True = one accepted, and it works.
bool Rounds::promote_in_turn() {
  for (const int i : world_.shuffled()) {
    world_.pump();
    const auto status = world_.node(i).status();
    // A master that acknowledges nothing stays one until another is made.
    if (!status || system::text_at(*status, "role") == "master") continue;
    if (help_ && system::text_at(*status, "role") == "none") {
      ++tally_.helped;
      world_.say("  '" + world_.node(i).id() + "' has no role and is made a slave " +
                 demote(world_.node(i).endpoint()));
    }
    const auto began = system::Clock::now();
    const Promotion promotion = promote(world_.node(i).endpoint());
    ++(promotion.accepted ? tally_.accepted : tally_.refused);
    const std::string line = "  promotion of '" + world_.node(i).id() +
                             "': " + (promotion.accepted ? "accepted" : promotion.text);
    // An operator who tries again and again is told the same again and again.
    if (promotion.accepted || line != last_refusal_) world_.say(line);
    last_refusal_ = line;
    if (!promotion.accepted || !acks_come(kTakesUpWork)) continue;
    takeovers_.push_back(std::chrono::duration_cast<Milliseconds>(system::Clock::now() - began));
    return true;
  }
  return false;
}

void Rounds::come_to_rest() {
  producers_.pause();
  std::string lacks;
  const auto rests = [&] {
    bring_back();
    if ((lacks = check_.at_rest()).empty()) return true;
    allow_resets();
    return false;
  };
  for (int tried = 0; help_ && tried < kMostHelp; ++tried) {
    if (world_.wait_until(rests, kFindTogether)) break;
    world_.say("  no rest: " + lacks);
    help(tried > 0);
  }
  if (!world_.wait_until(rests, kHealed)) {
    throw Failure("stuck: the nodes do not come to rest: " + lacks);
  }
  forbid_resets();
  std::string wrong = check_.round();
  if (wrong.empty()) wrong = readers_.wrong();
  if (!wrong.empty()) throw Failure(wrong);
}

// All nodes are to have the same log at rest, so all are to be in the set.
void Rounds::bring_back() {
  const int master = world_.etcd() == nullptr ? -1 : world_.master();
  const int node = world_.left_out(master);
  if (node < 0) return;
  const std::string wrong =
      set_option(world_.node(master).endpoint(), "add_member", world_.node(node).replica());
  world_.say("  '" + world_.node(node).id() + "' is added to the set again " + wrong);
}

// A node that was away while retention took what it needs is let copy from scratch, once there is a
// master: nothing but its operator's word makes it empty a log that holds confirmed bytes.
void Rounds::allow_resets() {
  for (int i = 0; i < kNodes; ++i) {
    if (std::find(allowed_.begin(), allowed_.end(), i) != allowed_.end()) continue;
    const auto status = world_.node(i).status();
    if (!status || system::text_at(*status, "ha/client/last_words").find("confirmed bytes") ==
                       std::string::npos) {
      continue;
    }
    world_.say("  '" + world_.node(i).id() + "' may copy from scratch " +
               set_option(world_.node(i).endpoint(), "allow_unsafe_truncation", "true"));
    allowed_.push_back(i);
  }
}

void Rounds::forbid_resets() {
  for (const int i : allowed_) {
    set_option(world_.node(i).endpoint(), "allow_unsafe_truncation", "false");
  }
  allowed_.clear();
}

// What an operator can do for nodes that do not find together: first, whoever is not attached to
// the newest master is made a slave; then another epoch begins.
void Rounds::help(bool again) {
  ++tally_.helped;
  const int newest = world_.master();
  for (const int i : world_.shuffled()) {
    const auto status = world_.node(i).status();
    if (i == newest || !status) continue;
    const bool attached = system::text_at(*status, "role") == "slave" &&
                          system::text_at(*status, "ha/client/state") == "transfer";
    const std::string name = "'" + world_.node(i).id() + "'";
    if (newest >= 0 && !again && !attached) {
      world_.say("  demotion of " + name + " " + demote(world_.node(i).endpoint()));
    } else if (newest < 0 || (again && attached)) {
      const Promotion promotion = promote(world_.node(i).endpoint());
      world_.say("  promotion of " + name + " " + promotion.text);
      if (promotion.accepted) return;
    }
  }
}

}  // namespace ha::torture
