// SPDX-License-Identifier: Apache-2.0
// A node of a supervised run: nobody promotes it, it looks at the engine's key and at itself.
#include "tests/sim/node.h"

namespace ha::sim {

using core::Step;

namespace {

// The supervisor's times are those of people's networks; here all is that much faster.
constexpr int kFaster = 40;
constexpr Time kTtl = kMs * 50;
constexpr Time kSuspectAfter = kMs * 30;
// A slave that does not reach a master tries the next node after that.
constexpr Time kNextNode = kMs * 20;

}  // namespace

Time Node::supervisor_clock() const { return clock() * kFaster; }

void Node::start_supervisor() {
  if (cluster_.engine() == nullptr) return;
  supervised_ = {};
  configure_supervisor();
}

void Node::configure_supervisor() {
  supervised_.rules.set_rules(
      {id(), static_cast<std::int32_t>(index_), members().counts(id()) ? 100 : 0, true, true,
       members().now.promises() > 1, kTtl * kFaster, kSuspectAfter * kFaster});
}

bool Node::hears_master() const {
  return link_ && link_->serving && clock() - link_->follower.last_read() < kSuspectAfter;
}

core::Look Node::look() const {
  core::Look look;
  look.now = supervisor_clock();
  look.role = master() ? core::Role::kMaster : promoting() ? core::Role::kNone : core::Role::kSlave;
  look.changing = promoting();
  look.takes_part = true;
  std::vector<std::string> answer{id()};
  for (const auto& [conn, in] : inbound_) {
    const bool lately = clock() - in->session.last_read() < kTtl;
    if (!in->closed && in->accepted && in->session.reported() && lately)
      answer.push_back(in->replica);
  }
  look.copies_answer = members().enough(answer);
  if (link_ && link_->serving) {
    look.master_silence = (clock() - link_->follower.last_read()) * kFaster;
  }
  look.master = term_.promised_to;
  look.chance = cluster_.engine()->rng().below(1000);
  return look;
}

core::LeaderView Node::leader() const {
  core::LeaderView view;
  view.known = supervised_.read_at != core::kNever &&
               supervisor_clock() - supervised_.read_at < kTtl * kFaster;
  view.holder = supervised_.key.holder;
  view.own = supervised_.rules.has_lease(supervisor_clock()) &&
             supervised_.key.lease == supervised_.lease && view.holder == id();
  return view;
}

void Node::tick_supervisor() {
  if (cluster_.engine() == nullptr) return;
  Engine& engine = *cluster_.engine();
  core::Supervisor& rules = supervised_.rules;
  const Time now = supervisor_clock();
  if (rules.has_lease(now) && now >= rules.renew_at()) {
    const auto said = engine.renew(index_, cluster_.now(), kTtl, supervised_.lease);
    if (said == Engine::Said::kYes) rules.on_lease(now, kTtl * kFaster);
    if (said == Engine::Said::kNo) rules.on_lease_lost();
  }
  read_key();
  search_master();
  if (promotion_ && promotion_->suspect) return;
  const Step step = rules.step(look(), leader());
  if (step.act != Step::Act::kWait) {
    cluster_.say([&] { return id() + " supervises itself: " + step.why; });
  }
  switch (step.act) {
    case Step::Act::kAsk:
      return ask_whether_gone();
    case Step::Act::kTake:
      return take_key();
    case Step::Act::kCampaign:
      rules.on_campaign();
      cluster_.count(Stats::kTakeovers);
      return promote(false);
    case Step::Act::kRelease:
      engine.revoke(index_, cluster_.now(), supervised_.lease);
      rules.on_lease_lost();
      return;
    case Step::Act::kStepBack:
      cluster_.count(Stats::kStepsBack);
      leave_role(core::Status::kEpoch, std::nullopt);
      return promote(false);
    case Step::Act::kHandOver:
    case Step::Act::kWait:
      return;
  }
}

void Node::read_key() {
  const Time now = supervisor_clock();
  const auto said = cluster_.engine()->read(index_, cluster_.now(), supervised_.key);
  if (said != Engine::Said::kYes) return;
  supervised_.read_at = now;
  // A lease that holds no key is good for nothing.
  if (supervised_.rules.has_lease(now) && !leader().own) supervised_.rules.on_lease_lost();
}

void Node::take_key() {
  Engine& engine = *cluster_.engine();
  core::Supervisor& rules = supervised_.rules;
  const Time now = supervisor_clock();
  if (!rules.has_lease(now) &&
      engine.grant(index_, cluster_.now(), kTtl, supervised_.lease) == Engine::Said::kYes) {
    rules.on_lease(now, kTtl * kFaster);
  }
  if (rules.has_lease(now)) {
    engine.take(index_, cluster_.now(), supervised_.lease, id(), supervised_.key.revision);
    read_key();
  }
  rules.on_taken(now, leader().own);
}

// Of a set's slave: one node after the other, until one is master. In the end its operator looks at
// why it does not follow that one.
void Node::search_master() {
  if (cluster_.calm() && (diverged_ || stranded_)) return;
  if (master() || promotion_ || (link_ && link_->serving)) {
    supervised_.searching_since = clock();
    return;
  }
  if (clock() - supervised_.searching_since < kNextNode) return;
  supervised_.searching_since = clock();
  const auto nodes = static_cast<std::uint32_t>(cluster_.config().nodes);
  std::uint32_t next = (target_.value_or(index_) + 1) % nodes;
  if (next == index_) next = (next + 1) % nodes;
  follow(next);
}

void Node::ask_whether_gone() {
  begin_round();
  promotion_->suspect = true;
  open_ballots();
}

void Node::end_suspicion(const core::Verdict& verdict, const std::vector<core::Heard>& heard) {
  core::AskedRound round;
  round.may = verdict.reason == core::Reason::kNone;
  for (const core::Heard& one : heard) {
    if (one.id == term_.promised_to && one.nobody_listens) round.master_gone = true;
  }
  supervised_.rules.on_asked(supervisor_clock(), round);
  end_promotion();
}

}  // namespace ha::sim
