// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/supervisor.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace ha::core {

inline void PrintTo(Step::Act act, std::ostream* out) {
  constexpr const char* kNames[] = {"wait",   "ask",       "take",     "campaign",
                                    "let go", "step back", "hand over"};
  *out << kNames[static_cast<int>(act)];
}

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Act = Step::Act;

constexpr Time kTtl = seconds(3);
constexpr Time kSuspectAfter = seconds(1);
constexpr Time kMinute = seconds(60);

SupervisorRules rules_of(std::int32_t rank, std::int32_t priority = 100) {
  return {"b", rank, priority, true, true, true, kTtl, kSuspectAfter};
}

// Node b, a slave of a, which holds the key. The set is a, b, c.
struct Desk {
  Supervisor supervisor;
  Look look;
  LeaderView key;

  explicit Desk(SupervisorRules rules = rules_of(0)) : supervisor(std::move(rules)) {
    look.now = hours(5);  // the machine is up that long
    look.role = Role::kSlave;
    look.takes_part = true;
    look.master_silence = {};
    look.master = "a";
    look.chance = 500;
    key.known = true;
    key.holder = "a";
    EXPECT_EQ(act(), Act::kWait);
  }

  Act act() { return supervisor.step(look, key).act; }
  void pass(Time time) { look.now += time; }
  // Looks again whenever it wants to. Returns how long it has waited, at most that long.
  Time waits(Time most = kMinute) {
    const Time from = look.now;
    for (;;) {
      const Step step = supervisor.step(look, key);
      if (step.act != Act::kWait || look.now - from >= most) return look.now - from;
      EXPECT_GT(step.again, look.now);
      look.now = std::min(step.again, from + most);
    }
  }
  bool never_acts() { return waits() == kMinute && act() == Act::kWait; }

  void lose_link() { look.master_silence = kNever; }
  void hear_nothing() { look.master_silence = kSuspectAfter; }
  void held_by(const std::string& id) {
    key.holder = id;
    key.own = false;
  }
  void nobody_holds() { held_by(""); }
  // The others answer.
  void answer(bool may, bool master_gone = false) {
    supervisor.on_asked(look.now, {may, master_gone});
  }
  void renew() { supervisor.on_lease(look.now, kTtl); }
  void take() {
    renew();
    key.holder = "b";
    key.own = true;
    supervisor.on_taken(look.now, true);
  }
  void take_in_vain() { supervisor.on_taken(look.now, false); }
  void is(Role role) {
    look.role = role;
    look.master_silence = kNever;
    act();
  }
  void campaign() {
    supervisor.on_campaign();
    look.changing = true;
    is(Role::kNone);
  }
  void become(Role role) {
    look.changing = false;
    is(role);
  }
  void release() {
    supervisor.on_lease_lost();
    nobody_holds();
  }
};

Desk a_master(SupervisorRules rules = rules_of(0)) {
  Desk desk(std::move(rules));
  desk.lose_link();
  desk.nobody_holds();
  desk.take();
  desk.campaign();
  desk.become(Role::kMaster);
  return desk;
}

// ---- a slave ----

TEST(Supervisor, WhoHearsItsMasterNeverAsks) {
  for (const char* holder : {"a", "b", "c", ""}) {
    for (const char* wanted : {"", "b", "c"}) {
      for (const Time silence : {Time{}, kSuspectAfter - Time{1}}) {
        Desk desk;
        desk.held_by(holder);
        desk.key.wanted = wanted;
        desk.look.master_silence = silence;
        EXPECT_TRUE(desk.never_acts()) << holder << ", wanted " << wanted;
      }
    }
  }
}

TEST(Supervisor, SilenceAloneAsksNobodyWhileTheKeyIsHeld) {
  Desk desk;
  desk.look.master_silence = hours(1);
  EXPECT_TRUE(desk.never_acts());
  desk.lose_link();
  EXPECT_EQ(desk.act(), Act::kAsk) << "but a link that is gone does";
}

TEST(Supervisor, ALostLinkTakesTheKeyOnlyFromAProcessThatIsGone) {
  Desk desk;
  desk.lose_link();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, false);
  EXPECT_EQ(desk.act(), Act::kWait) << "the master's machine did not answer";
  EXPECT_EQ(desk.waits(), milliseconds(100));
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(false, true);
  EXPECT_EQ(desk.act(), Act::kWait) << "somebody hears it all the same";
  desk.waits();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, true);
  EXPECT_EQ(desk.act(), Act::kTake);
}

// A master that answers below policy by its lease must not be replaced before that has ended.
TEST(Supervisor, WhereTheLeaseCountsItIsWaitedFor) {
  SupervisorRules rules = rules_of(0);
  rules.quick = false;
  Desk desk(rules);
  desk.lose_link();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, true);
  EXPECT_EQ(desk.act(), Act::kWait);
  desk.nobody_holds();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, true);
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, AnAbsentKeyIsAskedForAndTaken) {
  Desk desk;
  desk.nobody_holds();
  EXPECT_EQ(desk.act(), Act::kWait) << "the master is heard";
  desk.hear_nothing();
  ASSERT_EQ(desk.act(), Act::kAsk);
  EXPECT_EQ(desk.act(), Act::kAsk) << "until somebody answers";
  desk.answer(true);
  EXPECT_EQ(desk.act(), Act::kTake);
  desk.take();
  EXPECT_EQ(desk.act(), Act::kCampaign);
}

TEST(Supervisor, NothingIsDoneByAnEngineThatDoesNotAnswer) {
  Desk desk;
  desk.lose_link();
  desk.nobody_holds();
  desk.key.known = false;
  EXPECT_TRUE(desk.never_acts());
  desk.key.wanted = "b";
  EXPECT_TRUE(desk.never_acts());
}

TEST(Supervisor, AYesGrowsOld) {
  Desk desk;
  desk.hear_nothing();
  desk.nobody_holds();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true);
  desk.pass(kSuspectAfter - Time{1});
  EXPECT_EQ(desk.act(), Act::kTake);
  desk.pass(Time{1});
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, AYesIsForgottenOnceTheMasterIsHeard) {
  Desk desk;
  desk.hear_nothing();
  desk.nobody_holds();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true);
  desk.look.master_silence = {};
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.hear_nothing();
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, AKeyThatSomebodyElseGotNeedsAnotherYes) {
  Desk desk;
  desk.hear_nothing();
  desk.nobody_holds();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true);
  ASSERT_EQ(desk.act(), Act::kTake);
  desk.take_in_vain();
  EXPECT_EQ(desk.waits(), milliseconds(100));
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, EachNoIsFollowedByALongerPause) {
  Desk desk;
  desk.lose_link();
  for (const int pause : {100, 200, 400, 800, 1600, 2000, 2000}) {
    ASSERT_EQ(desk.act(), Act::kAsk);
    desk.answer(false);
    EXPECT_EQ(desk.waits(), milliseconds(pause));
  }
  // The master was there again: the next time begins as the first one did.
  desk.look.master_silence = {};
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.lose_link();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(false);
  EXPECT_EQ(desk.waits(), milliseconds(100));
}

TEST(Supervisor, PausesDifferSoThatNodesDoNotMeetAgain) {
  for (const auto& [chance, pause] : {std::pair(0, 50), std::pair(500, 100), std::pair(999, 150)}) {
    Desk desk;
    desk.look.chance = chance;
    desk.lose_link();
    ASSERT_EQ(desk.act(), Act::kAsk);
    desk.answer(false);
    EXPECT_EQ(std::chrono::ceil<milliseconds>(desk.waits()), milliseconds(pause));
  }
}

TEST(Supervisor, AKeyThatGoesEndsThePause) {
  Desk desk;
  desk.lose_link();
  for (int i = 0; i < 6; ++i) {
    desk.waits();
    desk.answer(false);
  }
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.nobody_holds();
  EXPECT_EQ(desk.act(), Act::kAsk);
  desk.answer(false);
  EXPECT_EQ(desk.act(), Act::kWait) << "a no counts as ever";
}

TEST(Supervisor, TheFirstOfEquallyGoodNodesTriesFirst) {
  const auto waits = [](const SupervisorRules& rules) {
    Desk desk(rules);
    desk.hear_nothing();
    desk.nobody_holds();
    const Time waited = desk.waits();
    EXPECT_EQ(desk.act(), Act::kAsk);
    return waited;
  };
  EXPECT_EQ(waits(rules_of(0)), Time{});
  EXPECT_EQ(waits(rules_of(1)), milliseconds(50));
  EXPECT_EQ(waits(rules_of(4)), milliseconds(200));
  EXPECT_EQ(waits(rules_of(0, 90)), milliseconds(100));
  EXPECT_EQ(waits(rules_of(1, 90)), milliseconds(150));
  EXPECT_EQ(waits(rules_of(0, 1)), milliseconds(990));
}

TEST(Supervisor, PatienceBeginsAgainWhenTheKeyGoes) {
  Desk desk(rules_of(4));
  desk.hear_nothing();
  ASSERT_TRUE(desk.never_acts());
  desk.nobody_holds();
  EXPECT_EQ(desk.waits(), milliseconds(200));
}

TEST(Supervisor, SomeNodesNeverTryByThemselves) {
  const auto never = [](const std::function<void(Desk&, SupervisorRules&)>& change) {
    for (const char* holder : {"", "a"}) {
      Desk desk;
      SupervisorRules rules = rules_of(0);
      change(desk, rules);
      desk.supervisor.set_rules(rules);
      desk.lose_link();
      desk.held_by(holder);
      EXPECT_TRUE(desk.never_acts()) << "held by '" << holder << "'";
      // An operator asks for it.
      desk.key.wanted = "b";
      EXPECT_EQ(desk.act(), Act::kAsk) << "held by '" << holder << "'";
      desk.answer(true, true);
      EXPECT_EQ(desk.act(), Act::kTake);
      desk.key.wanted = "c";
      EXPECT_TRUE(desk.never_acts());
    }
  };
  never([](Desk&, SupervisorRules& rules) { rules.priority = 0; });
  never([](Desk&, SupervisorRules& rules) { rules.automatic = false; });
  never([](Desk& desk, SupervisorRules&) { desk.key.paused = true; });
}

TEST(Supervisor, RulesMayChangeWhileItRuns) {
  Desk desk;
  SupervisorRules rules = rules_of(0);
  rules.automatic = false;
  desk.supervisor.set_rules(rules);
  desk.hear_nothing();
  desk.nobody_holds();
  ASSERT_TRUE(desk.never_acts());
  desk.supervisor.set_rules(rules_of(0));
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, WhoTakesNoPartNeverTries) {
  const auto never = [](const std::function<void(Look&)>& change) {
    Desk desk;
    desk.lose_link();
    desk.nobody_holds();
    change(desk.look);
    EXPECT_TRUE(desk.never_acts());
  };
  never([](Look& look) { look.takes_part = false; });
  never([](Look& look) { look.changing = true; });
  never([](Look& look) { look.role = Role::kNone; });
}

TEST(Supervisor, TheNodeThatIsWantedNeedsNoPatience) {
  Desk desk(rules_of(7, 20));
  desk.hear_nothing();
  desk.nobody_holds();
  desk.key.wanted = "b";
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, OthersLeaveTheWayFreeToTheNodeThatIsWantedForAWhile) {
  Desk desk;
  desk.hear_nothing();
  desk.nobody_holds();
  desk.key.wanted = "c";
  EXPECT_EQ(desk.waits(), milliseconds(2000)) << "c may be gone";
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, WhatAnotherCandidateHoldsIsLeftToIt) {
  Desk desk;
  desk.lose_link();
  desk.held_by("c");
  EXPECT_TRUE(desk.never_acts());
  desk.key.wanted = "b";
  EXPECT_TRUE(desk.never_acts());
  desk.key.wanted.clear();
  desk.pass(kMinute);
  desk.nobody_holds();
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, AYesDoesNotOutliveAnotherCandidate) {
  Desk desk;
  desk.lose_link();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, true);
  ASSERT_EQ(desk.act(), Act::kTake);
  desk.held_by("c");
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.held_by("a");
  EXPECT_EQ(desk.act(), Act::kAsk);
}

TEST(Supervisor, ItsOwnKeyFromBeforeARestartIsAsGoodAsNone) {
  Desk desk;
  desk.held_by("b");
  desk.hear_nothing();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, false);
  EXPECT_EQ(desk.act(), Act::kTake);
}

// The second lease of two equal nodes finds the key changed.
TEST(Supervisor, OfTwoNodesOfOneRankOneGetsTheKey) {
  Desk first;
  Desk second;
  for (Desk* desk : {&first, &second}) {
    desk->nobody_holds();
    desk->hear_nothing();
    ASSERT_EQ(desk->act(), Act::kAsk);
    desk->answer(true);
    ASSERT_EQ(desk->act(), Act::kTake);
  }
  first.take();
  second.take_in_vain();
  second.held_by("c");
  EXPECT_EQ(first.act(), Act::kCampaign);
  EXPECT_TRUE(second.never_acts());
}

// ---- two changes of master ----

// b has seen c take over from a, and c is its master now.
Desk after_a_takeover() {
  Desk desk;
  desk.held_by("c");
  desk.look.master = "c";
  desk.act();
  return desk;
}

TEST(Supervisor, TwoTakeoversBySilenceAreTenSecondsApart) {
  Desk desk = after_a_takeover();
  desk.pass(seconds(2));
  desk.nobody_holds();
  desk.hear_nothing();
  EXPECT_EQ(desk.waits(), seconds(8));
  EXPECT_EQ(desk.act(), Act::kAsk);
  desk.answer(true);
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, AProcessThatIsGoneIsNotWaitedFor) {
  Desk desk = after_a_takeover();
  desk.nobody_holds();
  desk.lose_link();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, false);
  EXPECT_EQ(desk.act(), Act::kWait);
  desk.waits();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, true);
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, OperatorsAreNotWaitedFor) {
  Desk desk = after_a_takeover();
  desk.nobody_holds();
  desk.hear_nothing();
  desk.key.wanted = "b";
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, false);
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, AKeyThatComesBackToItsHolderDoesNotCount) {
  Desk desk;
  desk.nobody_holds();
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.held_by("a");
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.nobody_holds();
  desk.hear_nothing();
  EXPECT_EQ(desk.act(), Act::kAsk);
}

// ---- the holder ----

TEST(Supervisor, AHolderTriesOnceAndLetsGo) {
  Desk desk;
  desk.lose_link();
  desk.nobody_holds();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true);
  desk.take();
  ASSERT_EQ(desk.act(), Act::kCampaign);
  desk.campaign();
  EXPECT_EQ(desk.act(), Act::kWait) << "it is under way";
  desk.become(Role::kSlave);
  EXPECT_EQ(desk.act(), Act::kRelease);
  desk.release();
  EXPECT_EQ(desk.act(), Act::kWait) << "others may try first";
}

TEST(Supervisor, AHolderThatBecameMasterKeepsTheKey) {
  Desk desk = a_master();
  for (int i = 0; i < 100; ++i) {
    desk.pass(seconds(1));
    desk.renew();
    ASSERT_EQ(desk.act(), Act::kWait);
  }
}

TEST(Supervisor, NobodyTriesByALeaseThatMayBeOver) {
  Desk desk;
  desk.lose_link();
  desk.nobody_holds();
  desk.take();
  desk.pass(desk.supervisor.sure_until() - desk.look.now - Time{1});
  EXPECT_EQ(desk.act(), Act::kCampaign);
  desk.pass(Time{1});
  EXPECT_EQ(desk.act(), Act::kRelease);
}

TEST(Supervisor, AHolderThatTakesNoPartLetsGo) {
  Desk desk;
  desk.lose_link();
  desk.nobody_holds();
  desk.take();
  desk.look.takes_part = false;
  EXPECT_EQ(desk.act(), Act::kRelease);
  desk.look.role = Role::kNone;
  EXPECT_EQ(desk.act(), Act::kRelease);
}

TEST(Supervisor, AHolderThatGetsNoRoleLetsGo) {
  for (const bool changing : {true, false}) {
    Desk desk;
    desk.lose_link();
    desk.nobody_holds();
    desk.take();
    ASSERT_EQ(desk.act(), Act::kCampaign);
    desk.campaign();
    desk.look.changing = changing;
    EXPECT_EQ(desk.waits(), seconds(10) + milliseconds(50));
    EXPECT_EQ(desk.act(), Act::kRelease);
  }
}

// It took the key as master, so it never tried by it. An operator or another candidate deposed it.
TEST(Supervisor, AMasterThatIsDeposedLetsTheKeyGo) {
  for (const bool automatic : {true, false}) {
    Desk desk = a_master();
    desk.release();
    ASSERT_EQ(desk.act(), Act::kTake);
    desk.take();
    SupervisorRules rules = rules_of(0);
    rules.automatic = automatic;
    desk.supervisor.set_rules(rules);
    desk.become(Role::kSlave);
    EXPECT_EQ(desk.act(), Act::kRelease) << "it would depose its new master";
  }
}

// It has been a slave for long, and the change of role is only queued.
TEST(Supervisor, AHolderKeepsTheKeyWhileItsTryWaits) {
  Desk desk;
  desk.pass(kMinute);
  desk.lose_link();
  desk.nobody_holds();
  desk.take();
  ASSERT_EQ(desk.act(), Act::kCampaign);
  desk.supervisor.on_campaign();
  desk.look.changing = true;
  EXPECT_EQ(desk.act(), Act::kWait);
}

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

// ---- not so yet ----

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

}  // namespace
}  // namespace ha::core
