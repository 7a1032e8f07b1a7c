// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/supervisor.h"

#include <algorithm>
#include <chrono>

namespace ha::core {
namespace {

using std::chrono::milliseconds;
using Act = Step::Act;

// Nodes look at themselves this often when nothing is to be waited for.
constexpr Time kLook = milliseconds(50);
// Nodes that hold the same try one after another. A round of questions takes a few milliseconds.
constexpr Time kPerRank = milliseconds(50);
// For each step of priority below 100.
constexpr Time kPerPriority = milliseconds(10);
// How long others leave the way free to the node that operators want.
constexpr Time kForTheWanted = milliseconds(2000);
// After a question that was answered with no: doubled up to this.
constexpr Time kFirstBackOff = milliseconds(100);
constexpr Time kLastBackOff = milliseconds(2000);
// Two changes of master are that far apart, unless a process is known to be gone. A network that
// comes and goes would otherwise move the master back and forth.
constexpr Time kBetweenTakeovers = milliseconds(10'000);
// A holder that is not master after this time gives the key back.
constexpr Time kMostForACampaign = milliseconds(10'000);

// Where each way loses 30 % of all packets, eight tries in a row fail once in 200 times.
constexpr int kTriesOfALink = 8;
// A master that is cut off tells its clients after that many ttl at the latest.
constexpr int kMostTtls = 3;

}  // namespace

Time copies_patience(Time ttl, Time round_trip) {
  return std::clamp(kTriesOfALink * round_trip, ttl, kMostTtls * ttl);
}

void Supervisor::on_lease(Time sent, Time ttl) {
  lease_until_ = sent + ttl;
  lease_ttl_ = ttl;
  renew_at_ = sent + ttl / 4;
}

Time Supervisor::sure_until() const {
  const Time margin = lease_ttl_ / 10 + milliseconds(100);
  return lease_until_ > margin ? lease_until_ - margin : Time{};
}

void Supervisor::on_asked(Time now, const AskedRound& round) {
  asked_ = round;
  asked_at_ = now;
  if (!round.may) back_off(now, chance_);
}

void Supervisor::on_taken(Time now, bool taken) {
  may_campaign_ = taken && role_ == Role::kSlave;
  if (taken) useful_ = now;
  asked_at_ = kNever;
  if (!taken) back_off(now, chance_);
}

void Supervisor::back_off(Time now, std::int64_t chance) {
  back_off_ = std::clamp(2 * back_off_, kFirstBackOff, kLastBackOff);
  not_before_ = now + back_off_ * (500 + chance) / 1000;
  asked_at_ = kNever;
}

void Supervisor::forget_candidacy() {
  alone_since_ = asked_at_ = kNever;
  back_off_ = {};
}

Step Supervisor::wait(const Look& look) const { return {Act::kWait, look.now + kLook, ""}; }

Step Supervisor::step(const Look& look, const LeaderView& key) {
  chance_ = look.chance;
  if (look.role != role_) {
    role_ = look.role;
    role_since_ = look.now;
  }
  if (!has_lease(look.now)) renew_at_ = kNever;
  const bool hears = look.role == Role::kSlave && look.master_silence < rules_.suspect_after;
  if (hears || look.role == Role::kMaster) on_master(look, hears ? look.master : rules_.id);
  if (look.role == Role::kMaster && !look.changing) return as_master(look, key);
  if (key.own && !look.changing && look.role == Role::kSlave) return as_candidate(look, key);
  if (key.own && (!look.takes_part || look.now - useful_ > kMostForACampaign)) {
    return {Act::kRelease, {}, "this node is not master"};
  }
  if (look.role == Role::kSlave && !look.changing) return as_slave(look, key);
  return wait(look);
}

// A failed candidacy does not count as a change of master.
void Supervisor::on_master(const Look& look, const std::string& master) {
  if (master == followed_) return;
  followed_since_ = followed_.empty() ? kNever : look.now;
  followed_ = master;
}

Step Supervisor::as_master(const Look& look, const LeaderView& key) {
  alone_since_ = asked_at_ = kNever;
  useful_ = look.now;
  may_campaign_ = false;
  if (key.known && key.own) {
    back_off_ = {};
    const bool other = !key.wanted.empty() && key.wanted != rules_.id;
    if (other && look.now >= not_before_) return {Act::kHandOver, {}, "operators want another"};
    return wait(look);
  }
  // Another holder is a node that tries. It becomes master by promises or not at all, and then it
  // lets the key go.
  if (key.known && (key.holder.empty() || key.holder == rules_.id) && look.now >= not_before_) {
    return {Act::kTake, {}, "this node is master"};
  }
  const bool settled = look.now - role_since_ > std::max(rules_.ttl, look.copies_patience);
  if (settled && !sure(look.now) && !look.copies_answer && rules_.automatic && !key.paused &&
      rules_.needs_promises) {
    return {Act::kStepBack, {}, "neither the lease nor enough copies"};
  }
  return wait(look);
}

// It holds the key and is not master.
Step Supervisor::as_candidate(const Look& look, const LeaderView& key) {
  if (may_campaign_ && may_try(look, key) && sure(look.now)) {
    return {Act::kCampaign, {}, "this node holds the key"};
  }
  back_off(look.now, look.chance);
  return {Act::kRelease, {}, "this node is not master"};
}

Time Supervisor::patience(const LeaderView& key) const {
  if (key.wanted == rules_.id) return {};
  return rules_.rank * kPerRank + (100 - rules_.priority) * kPerPriority +
         (key.wanted.empty() ? Time{} : kForTheWanted);
}

bool Supervisor::may_try(const Look& look, const LeaderView& key) const {
  const bool by_itself = rules_.automatic && rules_.priority > 0 && !key.paused;
  return look.takes_part && (by_itself || key.wanted == rules_.id);
}

Step Supervisor::as_slave(const Look& look, const LeaderView& key) {
  if (look.master_silence < rules_.suspect_after || !key.known || !may_try(look, key)) {
    forget_candidacy();
    return wait(look);
  }
  const bool absent = key.holder.empty();
  const bool asked_for = key.wanted == rules_.id;
  // Another node tries, or has become master and will be heard soon.
  if (!absent && key.holder != look.master && key.holder != rules_.id) {
    forget_candidacy();
    return wait(look);
  }
  if (alone_since_ == kNever || (absent && !was_absent_)) {
    alone_since_ = look.now;
    not_before_ = {};
  }
  was_absent_ = absent;
  const bool soon = followed_since_ != kNever && look.now - followed_since_ < kBetweenTakeovers;
  const bool no_link = look.master_silence == kNever;
  if (no_link && had_link_) {
    // Its process may be gone: what was heard before says nothing of that.
    not_before_ = back_off_ = {};
    asked_at_ = kNever;
  }
  had_link_ = !no_link;
  // A master that the engine reaches and no slave does.
  const bool in_vain =
      !absent && no_link && !soon && rules_.quick && look.now - alone_since_ > 3 * rules_.ttl;
  // This node's own key, from before it was started again, is as good as none.
  const bool free = key.holder == rules_.id || (absent && (!soon || asked_for)) || in_vain;
  if (!free && !no_link && soon) return wait(look);
  const Time at = std::max(alone_since_ + patience(key), not_before_);
  if (look.now < at) return {Act::kWait, std::min(at, look.now + kLook), ""};
  const bool fresh = asked_at_ != kNever && look.now - asked_at_ < rules_.suspect_after;
  if (!fresh) return {Act::kAsk, {}, "the master is not heard"};
  if (no_link && asked_.master_gone && rules_.quick) {
    return {Act::kTake, {}, "the master's process is gone"};
  }
  if (free) {
    return {Act::kTake, {}, in_vain ? "the master serves nobody" : "the master's lease has ended"};
  }
  // Behind a silent link the others were asked before the lease ends, and their answer is kept
  // until then: a round waits for a master that hangs. Without a link its process may go any time.
  if (no_link) back_off(look.now, look.chance);
  return wait(look);
}

}  // namespace ha::core
