// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/members.h"

#include <gtest/gtest.h>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/term.h"

namespace ha::core {
namespace {

const Members kThree{0, {{"b", "a", "c"}, 2}};

Members added(const Members& set, const std::string& id) {
  std::string wrong;
  const auto next = with_member(set, id, "a", 7, wrong);
  EXPECT_TRUE(next) << wrong;
  return next.value_or(Members{});
}
Members removed(const Members& set, const std::string& id) {
  std::string wrong;
  const auto next = without_member(set, id, "a", 7, wrong);
  EXPECT_TRUE(next) << wrong;
  return next.value_or(Members{});
}
std::string why_not_add(const Members& set, const std::string& id) {
  std::string wrong;
  EXPECT_FALSE(with_member(set, id, "a", 7, wrong));
  return wrong;
}
std::string why_not_remove(const Members& set, const std::string& id) {
  std::string wrong;
  EXPECT_FALSE(without_member(set, id, "a", 7, wrong));
  return wrong;
}
Members joint() { return {2, {{"a", "b", "c"}, 2}, {{"a", "b", "c", "d"}, 2}, "", "a", 7}; }

MemberChange::Look look(std::int64_t end, std::int64_t held,
                        std::vector<MemberChange::Follower> followers) {
  return {"a", 7, Offset(end), Offset(held), std::move(followers)};
}

TEST(Members, TheirTextSaysWhoCounts) {
  EXPECT_EQ(Members{}.text(), "");
  EXPECT_EQ(kThree.text(), "a,b,c with default_copies 2");
  EXPECT_EQ(joint().text(),
            "version 2: a,b,c with default_copies 2 and a,b,c,d with default_copies 2");
  Members waits = kThree;
  waits.version = 1;
  waits.joining = "d";
  EXPECT_EQ(waits.text(), "version 1: a,b,c with default_copies 2");
}

TEST(Members, AVersionIsANumberBeforeAColon) {
  EXPECT_EQ(version_of("version 12: a with default_copies 1"), 12);
  for (const char* text :
       {"", "a,b with default_copies 2", "version", "version ", "version 3", "version : a",
        "version x: a", "version 3 : a", "version 99999999999999999999: a"}) {
    EXPECT_EQ(version_of(text), 0) << text;
  }
}

TEST(Members, WhoLeadsHasTheSameSetOrANewerOne) {
  const std::string first = kThree.text();
  const std::string second = joint().text();
  EXPECT_TRUE(may_lead(first, first));
  EXPECT_TRUE(may_lead(second, first));
  EXPECT_FALSE(may_lead(first, second));
  EXPECT_FALSE(may_lead("a,b with default_copies 2", first)) << "two sets of options";
  EXPECT_FALSE(may_lead(second, "")) << "a node without a set";
  EXPECT_FALSE(may_lead("version 2: a,b with default_copies 1", second)) << "one version, two sets";
}

TEST(Members, ANodeThatJoinsCountsOnceItHasTheLog) {
  const Members joins = added(kThree, "d");
  EXPECT_EQ(joins.version, 1);
  EXPECT_EQ(joins.joining, "d");
  EXPECT_FALSE(joins.counts("d"));
  EXPECT_EQ(joins.ids(), (std::vector<std::string>{"b", "a", "c", "d"}));
  MemberChange change;
  EXPECT_FALSE(change.step(joins, look(100, 100, {{"d", 1, Offset(100)}}))) << "the first look";
  EXPECT_FALSE(change.step(joins, look(300, 300, {{"d", 1, Offset(99)}})));
  EXPECT_FALSE(change.step(joins, look(300, 300, {{"b", 1, Offset(300)}}))) << "it is not there";
  const auto next = change.step(joins, look(400, 400, {{"d", 1, Offset(300)}}));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->version, 2);
  EXPECT_EQ(next->text(),
            "version 2: a,b,c with default_copies 2 and a,b,c,d with default_copies 2");
  EXPECT_TRUE(next->counts("d"));
  EXPECT_EQ(next->master, "a");
  EXPECT_EQ(next->epoch, 7);
}

TEST(Members, AJointSetEndsWhenTheOldNodesHaveMovedAndTheNewOnesHoldTheLog) {
  MemberChange change;
  // b follows, and has not taken this set; d is not one of the old ones.
  EXPECT_FALSE(
      change.step(joint(), look(100, 100, {{"b", 1, Offset(100)}, {"d", 2, Offset(100)}})));
  EXPECT_EQ(change.waits_for(joint(), look(100, 100, {})),
            "2 of the old nodes to have taken version 2 and to follow; 1 do");
  // What is held counts from the moment on at which enough have moved.
  EXPECT_FALSE(change.step(joint(), look(200, 150, {{"b", 2, Offset(150)}})));
  EXPECT_FALSE(change.step(joint(), look(900, 199, {{"b", 2, Offset(199)}})));
  EXPECT_EQ(change.waits_for(joint(), look(900, 199, {})),
            "2 copies among the old nodes and 2 among the new ones, up to 200; they reach 199");
  const auto next = change.step(joint(), look(900, 200, {}));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->text(), "version 3: a,b,c,d with default_copies 2");
  EXPECT_TRUE(next->stable());
  EXPECT_FALSE(change.step(*next, look(900, 900, {})));
}

TEST(Members, MoreMustMoveThanAMajorityWhereTheOthersCouldDecide) {
  // Of five nodes with two copies, four promise: two that stay behind could acknowledge.
  Members five{2, {{"a", "b", "c", "d", "e"}, 2}, {{"a", "b", "c", "d"}, 2}, "", "a", 7};
  MemberChange change;
  EXPECT_FALSE(change.step(five, look(0, 0, {{"b", 2, Offset(0)}, {"c", 2, Offset(0)}})));
  EXPECT_TRUE(change.step(
      five, look(0, 0, {{"b", 2, Offset(0)}, {"c", 2, Offset(0)}, {"e", 2, Offset(0)}})));
  // With four copies two promise: four must have moved before the others cannot promise.
  five.now.copies = five.next.copies = 4;
  MemberChange other;
  EXPECT_FALSE(other.step(five, look(0, 0, {{"b", 2, Offset(0)}, {"c", 2, Offset(0)}})));
}

TEST(Members, AnotherMasterLooksForItself) {
  MemberChange change;
  EXPECT_FALSE(change.step(joint(), look(200, 100, {{"b", 2, Offset(100)}})));
  MemberChange::Look later = look(900, 500, {});
  later.epoch = 9;
  EXPECT_FALSE(change.step(joint(), later)) << "who had moved followed the one before";
}

TEST(Members, OneNodeAtATimeLeaves) {
  const Members leaves = removed(kThree, "c");
  EXPECT_EQ(leaves.text(), "version 1: a,b,c with default_copies 2 and a,b with default_copies 2");
  EXPECT_TRUE(leaves.counts("c")) << "until it is over";
  EXPECT_EQ(why_not_remove(leaves, "b"), "another change of the set is under way");
  EXPECT_EQ(why_not_add(leaves, "d"), "another change of the set is under way");
  EXPECT_EQ(why_not_add(leaves, "c"), "'c' is in the set already");
}

TEST(Members, WhatWouldBreakTheSetIsRefused) {
  EXPECT_EQ(why_not_add(kThree, "a"), "'a' is in the set already");
  EXPECT_EQ(why_not_remove(kThree, "x"), "'x' is not in the set");
  EXPECT_EQ(why_not_remove(kThree, ""), "'' is not in the set");
  EXPECT_NE(why_not_remove(kThree, "a").find("'a' is the master: make another node master first"),
            std::string::npos);
  const Members two{5, {{"a", "b"}, 2}};
  EXPECT_NE(why_not_remove(two, "b").find("without 'b' the set has 1 nodes"), std::string::npos);
  const Members one{0, {{"a", "b"}, 1}};
  EXPECT_NE(why_not_add(one, "c").find("acknowledged by one copy"), std::string::npos);
}

TEST(Members, ANodeThatJoinsIsLeftOutAgain) {
  const Members joins = added(kThree, "d");
  EXPECT_NE(why_not_add(joins, "e").find("'d' joins the set already"), std::string::npos);
  EXPECT_NE(why_not_remove(joins, "c").find("to call it off, remove it"), std::string::npos);
  const Members out = removed(joins, "d");
  EXPECT_TRUE(out.stable());
  EXPECT_EQ(out.version, 2);
  EXPECT_EQ(out.now, kThree.now);
}

TEST(Members, EnoughIsEnoughOfEachGroup) {
  EXPECT_TRUE(joint().enough({"a", "b"}));
  EXPECT_FALSE(joint().enough({"a", "d"})) << "one of the old nodes";
  EXPECT_FALSE(kThree.enough({"a"}));
  EXPECT_FALSE(kThree.enough({"a", "x"}));
}

TEST(Members, AMasterThatDidNotWriteTheSetIsDeposedByIt) {
  EXPECT_FALSE(joint().deposes("a", 7)) << "it wrote it";
  EXPECT_TRUE(joint().deposes("b", 7)) << "another master of that epoch did";
  EXPECT_TRUE(joint().deposes("a", 6));
  EXPECT_FALSE(joint().deposes("b", 8)) << "of an older master's";
  EXPECT_TRUE(joint().deposes("x", 8)) << "it does not count";
  EXPECT_FALSE(kThree.deposes("a", 1));
}

// ---- what else goes by the set ----------------------------------------------------------------

TEST(Members, ACandidateNeedsThePromisesOfBothGroups) {
  const Candidacy candidacy{"a", joint().groups(), {2, Offset(1000)}};
  const auto granted = [](const char* id) {
    return Heard{id, Promise{true, false, Reason::kNone, 2, {2, Offset(1000)}, id, ""}, ""};
  };
  EXPECT_EQ(judge_round(candidacy, {granted("b"), granted("c")}).reason, Reason::kNone);
  const Verdict too_few = judge_round(candidacy, {granted("b")});
  EXPECT_EQ(too_few.reason, Reason::kNoQuorum);
  EXPECT_TRUE(too_few.text.starts_with("2 of 4 new nodes granted it, 3 must")) << too_few.text;
  EXPECT_EQ(judge_round(candidacy, {granted("b"), granted("d")}).reason, Reason::kNone);
}

TEST(Members, AVoterOfAnOlderSetPromisesAndOneOfANewerDoesNot) {
  Voter voter{"prod", "b", {"a", "b", "c"}, {}, false, kThree.text()};
  Prepare prepare{Prepare::Mode::kPromise, 3, {}, "prod", "a", joint().text()};
  EXPECT_TRUE(judge_prepare(prepare, {}, voter).granted);
  std::swap(voter.set, prepare.set);
  const Promise refused = judge_prepare(prepare, {}, voter);
  EXPECT_EQ(refused.reason, Reason::kSetDiffers);
  EXPECT_NE(refused.text.find("the older one has to be read again from the coordinator"),
            std::string::npos)
      << refused.text;
}

TEST(Members, ASlaveOfAnOlderSetFollowsAndOneOfANewerDoesNot) {
  Acceptor master{"prod", "a", {"a", "b", "c"}, {}, Bootstrap::kEarliest, true,
                  7,      {},  joint().text()};
  Hello hello;
  hello.cluster = "prod";
  hello.replica = "b";
  hello.segment_size = master.log.segment_size;
  hello.set = kThree.text();
  const auto no_hash = [](Offset, Offset) { return std::optional<std::uint64_t>(0); };
  EXPECT_NE(judge_hello(hello, master, no_hash).reason, Reason::kSetDiffers);
  std::swap(hello.set, master.set);
  EXPECT_EQ(judge_hello(hello, master, no_hash).reason, Reason::kSetDiffers);
}

// Else that slave could follow nobody of the set any more.
TEST(Members, APromiseToANodeThatHasLeftIsBelieved) {
  Voter master{"prod", "a", {"a", "c"}, {}, true, "version 2: a,c with default_copies 2"};
  Hello hello;
  hello.promised = 9;
  hello.promised_to = "b";
  Reason reason = Reason::kNone;
  EXPECT_EQ(check_told_promise(hello, {7, "a", {}}, master, reason), "");
  master.set = "a,c with default_copies 2";
  EXPECT_NE(check_told_promise(hello, {7, "a", {}}, master, reason), "");
  EXPECT_EQ(reason, Reason::kUnknownReplica);
}

}  // namespace
}  // namespace ha::core
