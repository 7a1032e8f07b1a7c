// SPDX-License-Identifier: Apache-2.0
// What a master does about its key, and how long its lease counts.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/core/supervisor_desk.h"

namespace ha::core {
namespace {

// ---- a master ----

TEST(Supervisor, AMasterTakesAKeyThatNobodyHolds) {
  for (const char* holder : {"", "b"}) {
    Desk desk = a_master();
    desk.release();
    desk.held_by(holder);
    EXPECT_EQ(desk.act(), Act::kTake) << "held by '" << holder << "'";
    desk.take_in_vain();
    EXPECT_EQ(desk.waits(), milliseconds(100)) << "held by '" << holder << "'";
    EXPECT_EQ(desk.act(), Act::kTake);
    desk.take();
    EXPECT_EQ(desk.act(), Act::kWait);
  }
}

TEST(Supervisor, ThatNeedsNoFailover) {
  Desk desk = a_master();
  SupervisorRules rules = rules_of(0, 0);
  rules.automatic = false;
  desk.supervisor.set_rules(rules);
  desk.key.paused = true;
  desk.release();
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, AMasterTakesNoKeyOfAnother) {
  Desk desk = a_master();
  desk.release();
  desk.held_by("c");
  desk.look.copies_answer = true;
  EXPECT_TRUE(desk.never_acts());
  desk.nobody_holds();
  desk.key.known = false;
  EXPECT_TRUE(desk.never_acts());
}

// All that makes a master step back, and each of it missing.
TEST(Supervisor, AMasterStepsBackWhenItMayNotBeTheOnlyOne) {
  const auto after = [](const std::function<void(Desk&)>& change) {
    Desk desk = a_master();
    desk.supervisor.on_lease_lost();
    desk.held_by("c");
    desk.pass(kTtl + Time{1});
    change(desk);
    return desk.act();
  };
  EXPECT_EQ(after([](Desk&) {}), Act::kStepBack);
  EXPECT_EQ(after([](Desk& d) { d.key.known = false; }), Act::kStepBack);
  EXPECT_EQ(after([](Desk& d) { d.look.copies_answer = true; }), Act::kWait);
  EXPECT_EQ(after([](Desk& d) { d.key.paused = true; }), Act::kWait);
  EXPECT_EQ(after([](Desk& d) { d.look.now -= Time{1}; }), Act::kWait) << "not master for a ttl";
  EXPECT_EQ(after([](Desk& d) { d.look.changing = true; }), Act::kWait);
  EXPECT_EQ(after([](Desk& d) {
              SupervisorRules rules = rules_of(0);
              rules.automatic = false;
              d.supervisor.set_rules(rules);
            }),
            Act::kWait);
  EXPECT_EQ(after([](Desk& d) { d.key.holder.clear(); }), Act::kTake);
  EXPECT_EQ(after([](Desk& d) {
              d.renew();
              d.key.holder = "b";
              d.key.own = true;
            }),
            Act::kWait);
}

// A new master too: its slaves need that long to find it.
TEST(Supervisor, WhereLinksAreSlowAMasterStepsBackLater) {
  Desk desk = a_master();
  desk.supervisor.on_lease_lost();
  desk.held_by("c");
  desk.look.copies_patience = 2 * kTtl;
  EXPECT_EQ(desk.waits(), 2 * kTtl + milliseconds(50));
  EXPECT_EQ(desk.act(), Act::kStepBack);
}

TEST(Supervisor, CopiesMayBeSilentForSomeRoundTrips) {
  EXPECT_EQ(copies_patience(kTtl, {}), kTtl) << "not known";
  EXPECT_EQ(copies_patience(kTtl, milliseconds(40)), kTtl)
      << "a delayed ack does not make a link slow";
  EXPECT_EQ(copies_patience(kTtl, milliseconds(500)), seconds(4));
  EXPECT_EQ(copies_patience(kTtl, seconds(5)), 3 * kTtl) << "another one may be master by then";
}

TEST(Supervisor, ASlowNetworkIsRememberedForAMinute) {
  LongestLately longest;
  longest.put(hours(1), milliseconds(500));
  longest.put(hours(1) + seconds(59), {});
  EXPECT_EQ(longest.get(), milliseconds(500)) << "no link is left";
  longest.put(hours(1) + seconds(60), milliseconds(1));
  EXPECT_EQ(longest.get(), milliseconds(1));
  longest.put(hours(1) + seconds(61), milliseconds(700));
  EXPECT_EQ(longest.get(), milliseconds(700)) << "a longer one counts at once";
}

TEST(Supervisor, AMasterWithoutItsEngineStepsBackBeforeItsLeaseEnds) {
  Desk desk = a_master();
  desk.pass(seconds(30));
  desk.renew();
  const Time sent = desk.look.now;
  desk.key.known = false;
  desk.look.copies_answer = true;
  EXPECT_EQ(desk.waits(seconds(30)), seconds(30));
  desk.look.now = sent;
  desk.look.copies_answer = false;
  desk.waits();
  EXPECT_EQ(desk.act(), Act::kStepBack);
  EXPECT_LT(desk.look.now, sent + kTtl);
  EXPECT_GE(desk.look.now, desk.supervisor.sure_until());
}

TEST(Supervisor, AMasterHandsOverToTheNodeThatIsWanted) {
  Desk desk = a_master();
  for (const char* wanted : {"", "b"}) {
    desk.key.wanted = wanted;
    desk.renew();
    EXPECT_EQ(desk.act(), Act::kWait) << wanted;
  }
  desk.key.wanted = "c";
  ASSERT_EQ(desk.act(), Act::kHandOver);
  desk.supervisor.on_hand_over(desk.look.now);
  desk.renew();
  EXPECT_EQ(desk.waits(), kTtl) << "c did not become master";
  EXPECT_EQ(desk.act(), Act::kHandOver);
}

TEST(Supervisor, AMasterKeepsTheKeyWhileItHandsOver) {
  Desk desk = a_master();
  desk.pass(kMinute);
  desk.renew();
  desk.key.wanted = "c";
  ASSERT_EQ(desk.act(), Act::kHandOver);
  desk.supervisor.on_hand_over(desk.look.now);
  desk.look.changing = true;
  EXPECT_EQ(desk.act(), Act::kWait);
}

TEST(Supervisor, WhoHandedOverLetsGo) {
  Desk desk = a_master();
  desk.key.wanted = "c";
  ASSERT_EQ(desk.act(), Act::kHandOver);
  desk.supervisor.on_hand_over(desk.look.now);
  desk.become(Role::kSlave);
  EXPECT_EQ(desk.act(), Act::kRelease);
  desk.release();
  EXPECT_EQ(desk.waits(), milliseconds(2000)) << "c has its time";
}

TEST(Supervisor, OnlyTheHolderHandsOver) {
  Desk desk = a_master();
  desk.release();
  desk.key.wanted = "c";
  desk.held_by("c");
  desk.look.copies_answer = true;
  EXPECT_TRUE(desk.never_acts());
}

// ---- a try that failed ----

// The master's machine is dead, and the first candidate failed.
TEST(Supervisor, ATryThatFailedDoesNotCount) {
  Desk desk;
  desk.hear_nothing();
  desk.held_by("c");
  desk.act();
  desk.pass(milliseconds(200));
  desk.nobody_holds();
  EXPECT_EQ(desk.act(), Act::kAsk);
}

// ---- the lease ----

TEST(Supervisor, ALeaseCountsFromWhenItWasAskedFor) {
  Supervisor supervisor(rules_of(0));
  const Time sent = hours(1);
  EXPECT_FALSE(supervisor.has_lease(sent));
  EXPECT_EQ(supervisor.renew_at(), kNever);
  supervisor.on_lease(sent, kTtl);
  EXPECT_EQ(supervisor.renew_at(), sent + kTtl / 4);
  EXPECT_TRUE(supervisor.has_lease(sent + kTtl - Time{1}));
  EXPECT_FALSE(supervisor.has_lease(sent + kTtl));
  // Clocks apart by a tenth, and a bit.
  EXPECT_EQ(supervisor.sure_until(), sent + kTtl - milliseconds(400));
  EXPECT_TRUE(supervisor.sure(supervisor.sure_until() - Time{1}));
  EXPECT_FALSE(supervisor.sure(supervisor.sure_until()));
  supervisor.on_lease(sent, seconds(60));
  EXPECT_EQ(supervisor.sure_until(), sent + seconds(60) - milliseconds(6100))
      << "the engine may grant more than was asked for";
  supervisor.on_lease_lost();
  EXPECT_FALSE(supervisor.has_lease(sent));
  EXPECT_FALSE(supervisor.sure(sent));
}

// A machine that slept, an engine that does not answer: nothing says so but the clock.
TEST(Supervisor, ALeaseEndsByTheOwnClock) {
  Desk desk = a_master();
  ASSERT_NE(desk.supervisor.renew_at(), kNever);
  desk.pass(kTtl);
  EXPECT_FALSE(desk.supervisor.has_lease(desk.look.now));
  desk.key.own = false;
  EXPECT_EQ(desk.act(), Act::kTake) << "by another lease";
  EXPECT_EQ(desk.supervisor.renew_at(), kNever) << "what has ended is not renewed";
}

// Then it would become master again at once, of one epoch more.
TEST(Supervisor, AMasterThatNeedsNoPromiseDoesNotStepBack) {
  SupervisorRules rules = rules_of(0);
  rules.needs_promises = false;
  Desk desk = a_master(rules);
  desk.supervisor.on_lease_lost();
  desk.held_by("c");
  desk.pass(kTtl + Time{1});
  EXPECT_EQ(desk.act(), Act::kWait);
}

TEST(Supervisor, ARenewalWithoutAnAnswerIsSentAgainLater) {
  Desk desk = a_master();
  desk.renew();
  desk.pass(kTtl / 2);
  ASSERT_LT(desk.supervisor.renew_at(), desk.look.now);
  desk.supervisor.renew_later(desk.look.now + milliseconds(100));
  desk.act();
  EXPECT_EQ(desk.supervisor.renew_at(), desk.look.now + milliseconds(100));
}

}  // namespace
}  // namespace ha::core
