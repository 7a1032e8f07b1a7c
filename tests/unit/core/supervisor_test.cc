// SPDX-License-Identifier: Apache-2.0
// When a slave tries to become master, and what the holder of the key does.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/core/supervisor_desk.h"

namespace ha::core {
namespace {

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

// A round takes a while when the master hangs. So it is over when the lease ends.
TEST(Supervisor, ASilentLinkIsAskedAboutBeforeTheKeyGoes) {
  Desk desk;
  desk.hear_nothing();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true, true);
  EXPECT_EQ(desk.waits(), kSuspectAfter) << "the link is there, so the master may be";
  EXPECT_EQ(desk.act(), Act::kAsk) << "the answer is old";
  desk.answer(true);
  desk.pass(kSuspectAfter - milliseconds(1));
  EXPECT_EQ(desk.act(), Act::kWait);
  desk.nobody_holds();
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, WhatWasAskedBeforeTheKeyWentLeavesTheFirstNodeItsTurn) {
  Desk desk(rules_of(1));
  desk.hear_nothing();
  desk.waits();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(true);
  desk.pass(milliseconds(500));
  desk.nobody_holds();
  EXPECT_EQ(desk.waits(), milliseconds(50));
  EXPECT_EQ(desk.act(), Act::kTake);
}

TEST(Supervisor, ANoBeforeTheKeyGoesIsAskedAgain) {
  Desk desk;
  desk.hear_nothing();
  ASSERT_EQ(desk.act(), Act::kAsk);
  desk.answer(false);
  EXPECT_EQ(desk.waits(), milliseconds(100));
  EXPECT_EQ(desk.act(), Act::kAsk);
  desk.answer(false);
  desk.nobody_holds();
  EXPECT_EQ(desk.act(), Act::kAsk);
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
  ASSERT_EQ(desk.waits(milliseconds(150)), milliseconds(150));
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

// The engine reaches it, and no slave does.
TEST(Supervisor, AMasterThatServesNobodyIsReplacedAfterThreeLeases) {
  const auto acts = [](const std::function<void(Desk&, SupervisorRules&)>& change) {
    Desk desk;
    SupervisorRules rules = rules_of(0);
    change(desk, rules);
    desk.supervisor.set_rules(rules);
    desk.lose_link();
    desk.act();  // it is alone from here on
    desk.pass(3 * kTtl + Time{1});
    if (desk.act() != Act::kAsk) return desk.act();
    desk.answer(true);
    return desk.act();
  };
  EXPECT_EQ(acts([](Desk&, SupervisorRules&) {}), Act::kTake);
  EXPECT_EQ(acts([](Desk&, SupervisorRules& rules) { rules.quick = false; }), Act::kWait)
      << "by its lease the master may answer below policy";
  Desk soon;
  soon.lose_link();
  soon.act();
  soon.pass(3 * kTtl);
  EXPECT_EQ(soon.act(), Act::kAsk);
  soon.answer(true);
  EXPECT_EQ(soon.act(), Act::kWait);
}

TEST(Supervisor, APauseAlsoStopsTheHolderOfTheKey) {
  Desk desk;
  desk.lose_link();
  desk.nobody_holds();
  desk.take();
  desk.key.paused = true;
  EXPECT_EQ(desk.act(), Act::kRelease);
  desk.take();
  desk.key.wanted = "b";
  EXPECT_EQ(desk.act(), Act::kCampaign) << "an operator wants it";
}
// Its process may be gone since.
TEST(Supervisor, ALinkThatClosesAfterASilenceIsAskedAboutAtOnce) {
  Desk desk;
  desk.hear_nothing();
  for (int i = 0; i < 6; ++i) {
    desk.waits();
    ASSERT_EQ(desk.act(), Act::kAsk);
    desk.answer(false);
  }
  ASSERT_EQ(desk.act(), Act::kWait);
  desk.lose_link();
  EXPECT_EQ(desk.act(), Act::kAsk);
}

}  // namespace
}  // namespace ha::core
