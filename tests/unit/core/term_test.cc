// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/term.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

EpochHistory up_to(std::int64_t epoch) {
  EpochHistory history;
  history.append({epoch, Offset(0), "a"});
  return history;
}

Voter voter() { return {"prod", "b", {"a", "b", "c"}, {2, Offset(1000)}, false}; }
Term term() { return {2, "a", up_to(2)}; }
Prepare prepare(std::int64_t epoch, Prepare::Mode mode = Prepare::Mode::kPromise) {
  return {mode, epoch, {2, Offset(1000)}, "prod", "c"};
}

TEST(Term, APromiseIsGivenOnceForAnEpoch) {
  EXPECT_TRUE(judge_prepare(prepare(3), term(), voter()).granted);
  const Term promised = promised_by(term(), 3, "c");
  EXPECT_EQ(promised.known(), 3);
  EXPECT_EQ(promised.history, term().history);
  EXPECT_TRUE(judge_prepare(prepare(3), promised, voter()).granted) << "asked again by the same";

  Prepare other = prepare(3);
  other.candidate = "a";
  EXPECT_EQ(judge_prepare(other, promised, voter()).reason, Reason::kEpoch);
  for (const std::int64_t old : {0, 1, 2}) {
    EXPECT_EQ(judge_prepare(prepare(old), promised, voter()).reason, Reason::kEpoch) << old;
    EXPECT_EQ(judge_prepare(prepare(old), promised, voter()).known, 3);
  }
}

// An epoch that this node has bytes of was somebody's, whatever was promised.
TEST(Term, AnEpochThatWasEnteredIsNotPromised) {
  const Term entered{1, "c", up_to(3)};
  EXPECT_EQ(judge_prepare(prepare(3), entered, voter()).reason, Reason::kEpoch);
  EXPECT_TRUE(judge_prepare(prepare(4), entered, voter()).granted);
}

// Who asks only does not know the newest epoch.
TEST(Term, AskingNeedsNoEpochAndPromisesNothing) {
  const Promise answer =
      judge_prepare(prepare(1, Prepare::Mode::kAsk), promised_by(term(), 9, "a"), voter());
  EXPECT_TRUE(answer.granted);
  EXPECT_EQ(answer.known, 9);
}

// Its bytes may be acknowledged ones of any epoch, and what it promised is forgotten.
TEST(Term, ALogThatLostItsHistoryPromisesNothing) {
  Voter lost = voter();
  lost.position = {0, Offset(900)};
  for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kPromise}) {
    const Promise answer = judge_prepare(prepare(3, mode), Term{}, lost);
    EXPECT_FALSE(answer.granted);
    EXPECT_EQ(answer.reason, Reason::kDiverged);
    EXPECT_NE(answer.text.find("ha_term.json"), std::string::npos) << answer.text;
    EXPECT_NE(answer.text.find("900"), std::string::npos) << answer.text;
  }
  Prepare forming = prepare(1);
  forming.position = {0, Offset(900)};
  EXPECT_TRUE(judge_prepare(forming, Term{}, lost).granted) << "in a set that forms";
  lost.position = {0, Offset(0)};
  EXPECT_TRUE(judge_prepare(prepare(3), Term{}, lost).granted) << "an empty store";
}

TEST(Term, WhoHoldsMoreDoesNotPromise) {
  struct Row {
    Position candidate;
    bool granted;
  };
  for (const Row& row :
       {Row{{2, Offset(999)}, false}, Row{{2, Offset(1000)}, true}, Row{{2, Offset(1001)}, true},
        Row{{1, Offset(5000)}, false}, Row{{3, Offset(0)}, true}}) {
    Prepare p = prepare(4);
    p.position = row.candidate;
    for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kPromise}) {
      p.mode = mode;
      const Promise answer = judge_prepare(p, term(), voter());
      EXPECT_EQ(answer.granted, row.granted) << row.candidate.epoch;
      EXPECT_EQ(answer.reason, row.granted ? Reason::kNone : Reason::kBehind);
    }
    p.mode = Prepare::Mode::kForce;
    EXPECT_TRUE(judge_prepare(p, term(), voter()).granted) << "forced";
  }
}

TEST(Term, StrangersAndJumpsAreRefused) {
  Prepare p = prepare(3);
  p.cluster = "test";
  EXPECT_EQ(judge_prepare(p, term(), voter()).reason, Reason::kCluster);
  EXPECT_EQ(judge_prepare(p, term(), voter()).aside, ": its is 'test', that of this node 'prod'");
  for (const char* stranger : {"d", "", "b"}) {
    p = prepare(3, Prepare::Mode::kForce);
    p.candidate = stranger;
    EXPECT_EQ(judge_prepare(p, term(), voter()).reason, Reason::kUnknownReplica) << stranger;
  }
  EXPECT_TRUE(judge_prepare(prepare(2 + kMaxEpochJump), term(), voter()).granted);
  EXPECT_EQ(judge_prepare(prepare(3 + kMaxEpochJump), term(), voter()).reason, Reason::kEpoch);
}

// A node that is cut off alone would move the master for nothing.
TEST(Term, WhoHearsTheMasterDoesNotSuspectIt) {
  Voter hears = voter();
  hears.hears_master = true;
  Voter master = voter();
  master.master = true;
  const Prepare suspect = prepare(0, Prepare::Mode::kSuspect);
  EXPECT_TRUE(judge_prepare(suspect, term(), voter()).granted);
  for (const Voter& one : {hears, master}) {
    const Promise answer = judge_prepare(suspect, term(), one);
    EXPECT_FALSE(answer.granted);
    EXPECT_EQ(answer.reason, Reason::kMasterHeard);
    EXPECT_EQ(answer.text, one.master ? "'b' is master" : "'b' hears the master");
    EXPECT_EQ(answer.master, one.master);
    EXPECT_EQ(answer.known, 2);
  }
  // An operator knows better, and a candidate was let try.
  for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kPromise, Prepare::Mode::kForce}) {
    EXPECT_TRUE(judge_prepare(prepare(3, mode), term(), hears).granted);
    EXPECT_TRUE(judge_prepare(prepare(3, mode), term(), master).granted);
  }
}

// Whom a voter hears is told to the members of its own set only.
TEST(Term, ASuspicionIsJudgedAsAQuestionToo) {
  for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kSuspect}) {
    EXPECT_TRUE(only_asks(mode)) << "nothing is promised";
  }
  for (const auto mode : {Prepare::Mode::kPromise, Prepare::Mode::kForce}) {
    EXPECT_FALSE(only_asks(mode));
  }
  const Prepare suspect = prepare(0, Prepare::Mode::kSuspect);
  const Promise answer = judge_prepare(suspect, promised_by(term(), 9, "a"), voter());
  EXPECT_TRUE(answer.granted) << "it need not know the newest epoch";
  EXPECT_EQ(answer.known, 9);

  Voter hears = voter();
  hears.hears_master = true;
  Prepare other = suspect;
  other.cluster = "test";
  EXPECT_EQ(judge_prepare(other, term(), hears).reason, Reason::kCluster);
  other = suspect;
  other.set = "a,b with default_copies 2";
  EXPECT_EQ(judge_prepare(other, term(), hears).reason, Reason::kSetDiffers);
  other = suspect;
  other.position = {2, Offset(999)};
  EXPECT_EQ(judge_prepare(other, term(), voter()).reason, Reason::kBehind);
  other = suspect;
  other.candidate = "d";
  for (const Voter& one : {voter(), hears}) {
    EXPECT_EQ(judge_prepare(other, term(), one).reason, Reason::kUnknownReplica);
  }
}

// A refusal is what a stranger tries first: it must not teach him the names that open the door.
TEST(Term, ARefusalTellsAStrangerNoName) {
  Voter self{"secret", "alpha", {"alpha", "beta"}, {2, Offset(1000)}, true};
  self.set = set_text(self.replicas, 2);
  const Term mine{5, "beta", up_to(2)};
  Prepare p = prepare(6, Prepare::Mode::kForce);
  p.candidate = "guess";
  const auto is_silent = [](const Promise& answer) {
    EXPECT_FALSE(answer.granted);
    EXPECT_FALSE(answer.master);
    EXPECT_EQ(answer.id, "");
    for (const char* name : {"secret", "alpha", "beta"}) {
      EXPECT_EQ(answer.text.find(name), std::string::npos) << answer.text;
    }
  };
  const Promise other_cluster = judge_prepare(p, mine, self);
  EXPECT_EQ(other_cluster.reason, Reason::kCluster);
  EXPECT_EQ(other_cluster.known, 0);
  EXPECT_EQ(other_cluster.position, Position{});
  is_silent(other_cluster);
  p.cluster = "secret";
  const Promise other_set = judge_prepare(p, mine, self);
  EXPECT_EQ(other_set.reason, Reason::kSetDiffers);
  EXPECT_NE(other_set.aside.find("alpha,beta"), std::string::npos) << "for its own log";
  is_silent(other_set);
  p.set = self.set;
  const Promise no_member = judge_prepare(p, mine, self);
  EXPECT_EQ(no_member.reason, Reason::kUnknownReplica);
  is_silent(no_member);
  p.candidate = "beta";
  p.set = "beta";
  EXPECT_NE(judge_prepare(p, mine, self).text.find("alpha,beta"), std::string::npos)
      << "a member is told more";
}

// Whatever is known, heard or asked for: numbers do not run over.
TEST(Term, EpochsEndSomewhere) {
  EXPECT_EQ(epoch_above(1), 2);
  EXPECT_EQ(epoch_above(kMaxEpoch - 1), kMaxEpoch);
  EXPECT_EQ(epoch_above(kMaxEpoch), kMaxEpoch);
  EXPECT_EQ(epoch_above(INT64_MAX), kMaxEpoch);
  EXPECT_EQ(epoch_above(5, kMaxEpoch), kMaxEpoch);
  for (const std::int64_t known : {kMaxEpoch, INT64_MAX}) {
    const Term full{known, "a", up_to(2)};
    for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kPromise, Prepare::Mode::kForce}) {
      for (const std::int64_t asked : {std::int64_t{1}, kMaxEpoch, INT64_MAX}) {
        const Promise answer = judge_prepare(prepare(asked, mode), full, voter());
        EXPECT_FALSE(answer.granted) << known << " " << asked;
        EXPECT_EQ(answer.reason, Reason::kEpoch);
      }
    }
    EXPECT_EQ(next_epoch(full, {}), kMaxEpoch);
    EXPECT_EQ(check_epochs(full) == "", known == kMaxEpoch);
  }
  const std::string wrong = check_epochs({-1, "", {}});
  EXPECT_NE(wrong.find("epoch -1"), std::string::npos) << wrong;
  EXPECT_NE(check_epochs({3, "a", up_to(INT64_MAX)}), "");
}

TEST(Term, APromiseToNobodyIsForgottenAndNoOther) {
  const std::vector<std::string> all = {"a", "b", "c"};
  const std::int64_t far = 1'000'000'000'000;
  const Offset end(1000);
  const auto forget = [&](Term term, std::int64_t epoch) {
    const std::string stands = forget_promise(term, epoch, all, end);
    return std::pair(stands, term);
  };
  for (const Term& poisoned :
       {Term{INT64_MAX, "evil", up_to(2)}, Term{7, "evil", up_to(2)}, Term{far, "c", up_to(2)}}) {
    EXPECT_TRUE(is_promised_to_nobody(poisoned, all));
    const auto [stands, healed] = forget(poisoned, poisoned.promised);
    EXPECT_EQ(stands, "");
    EXPECT_EQ(healed, (Term{2, "a", up_to(2)})) << "never below what the log holds";
    EXPECT_EQ(forget(poisoned, 6).second, poisoned) << "another number is another promise";
  }
  EXPECT_EQ(forget({9, "evil", {}}, 9).second, Term{});

  for (const Term& good :
       {Term{7, "c", up_to(2)}, Term{2, "a", up_to(2)}, Term{2 + kMaxEpochJump, "b", up_to(2)}}) {
    EXPECT_FALSE(is_promised_to_nobody(good, all));
    const auto [stands, kept] = forget(good, good.promised);
    EXPECT_NE(stands, "") << good.promised;
    EXPECT_EQ(kept, good);
  }

  // It was entered too, as a slave enters its master's, and holds no byte of it; or one.
  Term entered{far, "evil", up_to(2)};
  ASSERT_TRUE(entered.history.append({far, end, "evil"}));
  EXPECT_EQ(forget(entered, far).second, (Term{2, "a", up_to(2)}));
  Term held{far, "evil", up_to(2)};
  ASSERT_TRUE(held.history.append({far, end + -1, "evil"}));
  EXPECT_NE(forget(held, far).first.find("holds bytes of epoch"), std::string::npos);
  EXPECT_EQ(forget(held, far).second, held);
}

// Who asks for a promise reads there why nobody can get one.
TEST(Term, AVoterThatPromisedNobodySaysHowToForget) {
  const Term poisoned{1'000'000'000'000, "evil", up_to(2)};
  const Promise answer = judge_prepare(prepare(3), poisoned, voter());
  EXPECT_EQ(answer.reason, Reason::kEpoch);
  const char* const words = "start 'b' once with option 'forget_promise' set to 1000000000000";
  EXPECT_NE(answer.text.find(words), std::string::npos) << answer.text;
  // It was entered too, without a byte, so that the voter seems to hold more than all others.
  Term entered = poisoned;
  ASSERT_TRUE(entered.history.append({poisoned.promised, Offset(1000), "evil"}));
  Voter ahead = voter();
  ahead.position.epoch = poisoned.promised;
  const Promise behind = judge_prepare(prepare(1, Prepare::Mode::kAsk), entered, ahead);
  EXPECT_EQ(behind.reason, Reason::kBehind);
  EXPECT_NE(behind.text.find(words), std::string::npos) << behind.text;
  EXPECT_EQ(judge_prepare(prepare(3), {9, "a", up_to(2)}, voter()).text.find("forget_promise"),
            std::string::npos);
}

TEST(Term, ACandidateOfADifferentSetIsRefusedInWords) {
  Voter self = voter();
  self.set = set_text({"a", "b", "c"}, 2);
  for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kPromise, Prepare::Mode::kForce}) {
    Prepare p = prepare(3, mode);
    p.set = set_text({"c", "b"}, 2);
    const Promise answer = judge_prepare(p, term(), self);
    EXPECT_FALSE(answer.granted);
    EXPECT_EQ(answer.reason, Reason::kSetDiffers);
    EXPECT_NE(answer.text.find(p.set), std::string::npos) << answer.text;
    EXPECT_NE(answer.text.find(self.set), std::string::npos) << answer.text;
    p.set = self.set;
    EXPECT_TRUE(judge_prepare(p, term(), self).granted);
  }
}

Heard granted(const char* id, Position position = {2, Offset(1000)}, std::int64_t known = 2) {
  return {id, Promise{true, false, Reason::kNone, known, position, id, ""}, ""};
}
Heard refused(const char* id, Position position, Reason reason = Reason::kBehind) {
  return {id, Promise{false, false, reason, 2, position, id, "no"}, ""};
}
Heard silent(const char* id) { return {id, std::nullopt, "connection refused"}; }

Candidacy candidacy(std::int32_t nodes, std::int32_t copies, bool force = false) {
  MemberGroup set{{}, copies};
  for (char id = 'a'; id < 'a' + nodes; ++id) set.ids.emplace_back(1, id);
  return {"a", {set}, {2, Offset(1000)}, force};
}
std::int32_t needed(const Candidacy& one) { return one.needed(one.groups.front()); }

TEST(Term, EnoughPromisesMeetEveryAcknowledgedByte) {
  EXPECT_EQ(needed(candidacy(3, 2)), 2);
  EXPECT_EQ(needed(candidacy(3, 3)), 1);
  EXPECT_EQ(needed(candidacy(3, 1)), 3);
  EXPECT_EQ(needed(candidacy(5, 3)), 3);
  EXPECT_EQ(needed(candidacy(1, 1)), 1);
  EXPECT_EQ(needed(candidacy(5, 3, true)), 1);

  EXPECT_EQ(judge_round(candidacy(3, 2), {granted("b"), silent("c")}).reason, Reason::kNone);
  EXPECT_EQ(judge_round(candidacy(3, 1), {granted("b"), silent("c")}).reason, Reason::kNoQuorum);
  EXPECT_EQ(judge_round(candidacy(3, 2), {silent("b"), silent("c")}).reason, Reason::kNoQuorum);
  EXPECT_EQ(judge_round(candidacy(3, 2, true), {silent("b"), silent("c")}).reason, Reason::kNone);
}

TEST(Term, TheNodeThatIsAheadIsNamed) {
  const std::vector<Heard> heard = {refused("b", {2, Offset(1001)}),
                                    refused("c", {2, Offset(1002)})};
  const Verdict verdict = judge_round(candidacy(3, 3), heard);
  EXPECT_EQ(verdict.reason, Reason::kBehind);
  EXPECT_TRUE(verdict.text.starts_with("'c' holds more")) << verdict.text;
  EXPECT_EQ(judge_round(candidacy(3, 3, true), heard).reason, Reason::kNone);
  // Also one that would follow: it may not see that it holds more.
  EXPECT_EQ(judge_round(candidacy(3, 2), {granted("b", {3, Offset(0)}), silent("c")}).reason,
            Reason::kBehind);
}

// One witness is enough: with it the next change of master would follow at once.
TEST(Term, OneWhoHearsTheMasterEndsASuspicion) {
  Heard hears = refused("d", {2, Offset(1000)}, Reason::kMasterHeard);
  hears.promise->text = "'d' hears the master";
  const Verdict verdict = judge_round(candidacy(5, 3), {granted("b"), granted("c"), hears});
  EXPECT_EQ(verdict.reason, Reason::kMasterHeard);
  EXPECT_EQ(verdict.text, "'d' hears the master");
  EXPECT_EQ(judge_round(candidacy(5, 3), {granted("b"), granted("c"), silent("d")}).reason,
            Reason::kNone);
  EXPECT_EQ(judge_round(candidacy(3, 3), {hears}).reason, Reason::kMasterHeard)
      << "though it needs nobody's promise";
  EXPECT_EQ(judge_round(candidacy(3, 2), {hears, silent("c")}).reason, Reason::kMasterHeard)
      << "which says more than that there are too few";
}

// By its own list a node may need nobody's promise. One that is told that its list differs has to
// have more nodes on its side than against it.
TEST(Term, AListThatIsTooShortElectsNoMaster) {
  const Heard differs = refused("a", {2, Offset(1000)}, Reason::kSetDiffers);
  for (const bool force : {false, true}) {
    EXPECT_EQ(judge_round(candidacy(2, 2, force), {differs}).reason, Reason::kSetDiffers) << force;
    EXPECT_EQ(judge_round(candidacy(2, 2, force), {silent("a")}).reason, Reason::kNone) << force;
    // One node with a wrong list does not keep the others from having a master.
    EXPECT_EQ(judge_round(candidacy(3, 2, force), {granted("c"), differs}).reason, Reason::kNone)
        << force;
  }
  Heard master = differs;
  master.promise->master = true;
  EXPECT_EQ(master_among({master}), nullptr);
}

// Another is master of a newer epoch, or will be: force is about too few nodes, not about that.
TEST(Term, ForceStopsBeforeANewerEpoch) {
  const std::vector<Heard> heard = {refused("b", {2, Offset(1000)}, Reason::kEpoch), silent("c")};
  EXPECT_EQ(judge_round(candidacy(3, 2, true), heard).reason, Reason::kEpoch);
}

TEST(Term, TheNextEpochIsAboveAllThatIsKnown) {
  EXPECT_EQ(next_epoch(term(), {silent("b")}), 3);
  EXPECT_EQ(next_epoch(term(), {granted("b", {}, 7), granted("c", {}, 5)}), 8);
  EXPECT_EQ(next_epoch(promised_by(term(), 9, "c"), {granted("b", {}, 7)}), 10);
  EXPECT_EQ(next_epoch(term(), {granted("b", {}, 3 + kMaxEpochJump)}), 3) << "out of reach";
}

TEST(Term, TheNewestMasterIsFound) {
  Heard old = granted("b", {}, 2);
  Heard newer = granted("c", {}, 3);
  EXPECT_EQ(master_among({old, newer, silent("d")}), nullptr);
  old.promise->master = true;
  EXPECT_EQ(master_among({old, newer})->id, "b");
  newer.promise->master = true;
  EXPECT_EQ(master_among({old, newer})->id, "c");
}

}  // namespace
}  // namespace ha::core
