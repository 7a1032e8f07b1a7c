// SPDX-License-Identifier: Apache-2.0
// A candidate: first it asks, then it is promised, then it is master.
#include <algorithm>

#include "tests/sim/node.h"

namespace ha::sim {

using core::Prepare;

namespace native = wire::native;

void Node::promote(bool force) {
  if (promoting() || !members().counts(id())) return;
  leave_role(core::Status::kNotMaster, std::nullopt);
  cluster_.say([&] { return id() + (force ? " is promoted by force" : " is promoted"); });
  if (!cut_log(disk_.whole_end(disk_.end()))) return;
  begin_round();
  promotion_->force = force;
  open_ballots();
}

void Node::begin_round() {
  promotion_ = std::make_unique<Promotion>();
  promotion_->position = position();
  promotion_->deadline = clock() + kMs * 25;
}

void Node::open_ballots() {
  const auto nodes = static_cast<std::uint32_t>(cluster_.config().nodes);
  for (std::uint32_t i = 0; i < nodes; ++i) {
    promotion_->heard.push_back({cluster_.config().ids[i], std::nullopt, "no answer"});
  }
  promotion_->settled.assign(nodes, false);
  promotion_->settled[index_] = true;
  for (std::uint32_t i = 0; i < nodes; ++i) {
    const bool known = members().counts(cluster_.config().ids[i]);
    if (!known) promotion_->settled[i] = true;
    if (i != index_ && known) open_ballot(i);
  }
}

void Node::open_ballot(std::uint32_t to) {
  promotion_->ballots.push_back(std::make_unique<Ballot>(cluster_.net().connect(index_, to), to));
}

void Node::read(Ballot& ballot, std::span<const std::byte> bytes) {
  const Promotion* mine = promotion_.get();
  while (!bytes.empty() && promotion_.get() == mine && !ballot.closed) {
    const Found found = ballot.reader.take(bytes);
    if (is_bad(found)) {
      ballot.closed = true;
      cluster_.net().close(ballot.id, kClient);
      return settle(ballot.voter, std::nullopt, "garbled");
    }
    if (found == Found::kGreeting) {
      ballot.greeted = true;
      say_prepare(ballot);
    }
    if (found != Found::kPromise) continue;
    // A PROMISE does not say what it answers: one that only asks may be answered in round two.
    if (--ballot.unanswered > 0 && !cluster_.made(Fault::kLateAnswerCounts)) continue;
    settle(ballot.voter, ballot.reader.promise(), "");
  }
}

void Node::say_prepare(Ballot& ballot) {
  const Promotion& mine = *promotion_;
  Prepare prepare;
  prepare.mode = mine.suspect      ? Prepare::Mode::kSuspect
                 : !mine.promising ? Prepare::Mode::kAsk
                 : mine.force      ? Prepare::Mode::kForce
                                   : Prepare::Mode::kPromise;
  prepare.epoch = mine.promising ? mine.epoch : term_.known() + 1;
  prepare.position = mine.position;
  prepare.cluster = "sim";
  prepare.candidate = id();
  prepare.set = members().text();
  ++ballot.unanswered;
  cluster_.net().send(ballot.id, kClient, native::encode_prepare(prepare));
}

void Node::settle(std::uint32_t voter, std::optional<core::Promise> promise, const char* why) {
  Promotion& mine = *promotion_;
  if (mine.settled[voter]) return;
  mine.settled[voter] = true;
  if (promise) promise->id = cluster_.config().ids[voter];  // a stranger is not told
  mine.heard[voter].promise = std::move(promise);
  mine.heard[voter].text = why;
  judge_if_settled();
}

void Node::judge_if_settled() {
  Promotion& mine = *promotion_;
  const bool all = std::find(mine.settled.begin(), mine.settled.end(), false) == mine.settled.end();
  if (!all && clock() < mine.deadline) return;
  std::vector<core::Heard> heard = mine.heard;
  heard.erase(heard.begin() + index_);
  const core::Candidacy candidacy{id(), members().groups(), mine.position, mine.force};
  const core::Verdict verdict = core::judge_round(candidacy, heard);
  if (mine.suspect) return end_suspicion(verdict, heard);
  if (verdict.reason != core::Reason::kNone) {
    return fail_promotion(verdict.text, core::master_among(heard));
  }
  if (mine.promising) return become_master();
  mine.epoch = std::max(core::next_epoch(term_, heard), core::epoch_above(members().epoch));
  second_round();
}

void Node::second_round() {
  Promotion& mine = *promotion_;
  if (!cluster_.made(Fault::kNoOwnPromise) && !save(core::promised_by(term_, mine.epoch, id()))) {
    return fail_promotion("its own promise could not be saved", nullptr);
  }
  mine.promising = true;
  mine.deadline = clock() + kMs * 25;
  mine.settled.assign(mine.settled.size(), false);
  mine.settled[index_] = true;
  for (std::uint32_t i = 0; i < mine.heard.size(); ++i) {
    mine.heard[i].promise.reset();
    if (i == index_) continue;
    const bool asked = std::any_of(mine.ballots.begin(), mine.ballots.end(),
                                   [&](const auto& one) { return one->voter == i; });
    if (!asked) {
      mine.settled[i] = true;
      continue;
    }
    const auto open = std::find_if(mine.ballots.begin(), mine.ballots.end(), [&](const auto& one) {
      return one->voter == i && !one->closed;
    });
    if (open == mine.ballots.end()) {
      open_ballot(i);
    } else if ((*open)->greeted) {
      say_prepare(**open);
    }
  }
}

void Node::become_master() {
  const Promotion& mine = *promotion_;
  const bool own = term_.promised == mine.epoch && term_.promised_to == id();
  if (!own && !cluster_.made(Fault::kNoOwnPromise) && !cluster_.made(Fault::kCandidacySurvives)) {
    return fail_promotion("it has promised a newer epoch itself", nullptr);
  }
  core::Term term = term_;
  if (!term.history.enter({mine.epoch, disk_.end(), id()}) &&
      !cluster_.made(Fault::kUnenteredPosition)) {
    return fail_promotion("its history does not take the epoch", nullptr);
  }
  term.history.truncate_prefix(disk_.log().min);
  if (cluster_.made(Fault::kEpochBeforeDurable)) {
    term_ = std::move(term);
  } else if (!save(std::move(term))) {
    return fail_promotion("the epoch could not be saved", nullptr);
  }
  if (misled()) throw Violation(id() + " is elected with another set than the others have");
  if (members().deposes(id(), mine.epoch))
    throw Violation(id() + " is master of an epoch that its set has deposed");
  epoch_ = mine.epoch;
  cluster_.count(Stats::kPromotionsWon);
  if (mine.force) cluster_.count(Stats::kForcedWon);
  end_promotion();
  cluster_.say([&] {
    return id() + " is master of epoch " + std::to_string(epoch_) + " from " +
           std::to_string(disk_.end().bytes());
  });
  waits_.set_groups(members(), id());
  waits_.set_master(true);
  reached_whole_ = Offset(0);
  if (cluster_.config().degrades()) {
    const std::optional<core::DegradedRange> told = disk_.degraded.told;
    if (told) cluster_.count(Stats::kDegradedInherited);
    keeper_.begin(disk_.end(), clock());
    cluster_.checker().on_begun(index_, epoch_, told, keeper_.open(), disk_);
  }
  cluster_.checker().on_master(index_, epoch_, disk_);
}

void Node::fail_promotion(const std::string& why, const core::Promise* master) {
  cluster_.count(Stats::kPromotionsLost);
  cluster_.say([&] { return id() + " is not promoted: " + why; });
  std::optional<std::uint32_t> next;
  if (master != nullptr) next = index_of(master->id);
  end_promotion();
  if (next && *next != index_) follow(*next);
}

void Node::end_promotion() {
  for (const auto& ballot : promotion_->ballots) cluster_.net().close(ballot->id, kClient);
  old_promotions_.push_back(std::move(promotion_));
}

void Node::tick_promotion() {
  if (promotion_ && clock() >= promotion_->deadline) judge_if_settled();
}

}  // namespace ha::sim
