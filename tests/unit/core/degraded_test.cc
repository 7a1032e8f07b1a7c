// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/degraded.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

constexpr Time kHold(5000);

TEST(Degraded, AnOutageIsOneRangeFromWhatWasHeldOn) {
  DegradedJournal journal;
  EXPECT_FALSE(journal.covers(Offset(0), Offset(0)));
  EXPECT_EQ(journal.open(), nullptr);
  EXPECT_FALSE(journal.answering());
  journal = journal.extended(Offset(100), Offset(150), 7);
  EXPECT_TRUE(journal.covers(Offset(100), Offset(150)));
  EXPECT_FALSE(journal.answering()) << "nothing was answered yet";
  journal.answered(Offset(150));
  EXPECT_TRUE(journal.answering());
  ASSERT_NE(journal.open(), nullptr);
  EXPECT_EQ(journal.open()->from, Offset(100));
  EXPECT_EQ(journal.open()->since_ms, 7);
  // Written ahead, so that not every answer costs a flush.
  const Offset ahead = Offset(150) + DegradedJournal::kAhead;
  EXPECT_TRUE(journal.covers(Offset(100), ahead));
  EXPECT_FALSE(journal.covers(Offset(100), ahead + 1));
  const DegradedJournal nearer = DegradedJournal().extended(Offset(100), Offset(150), 7, 10);
  EXPECT_TRUE(nearer.covers(Offset(100), Offset(160)));
  EXPECT_FALSE(nearer.covers(Offset(100), Offset(161)));
  journal = journal.extended(Offset(120), ahead + 1, 9);
  EXPECT_TRUE(journal.covers(Offset(120), ahead + 1));
  ASSERT_EQ(journal.ranges().size(), 1U);
  EXPECT_EQ(journal.open()->from, Offset(100));
  EXPECT_EQ(journal.open()->since_ms, 7);
  // A policy that asks for more copies finds fewer that hold so much.
  EXPECT_FALSE(journal.covers(Offset(99), ahead));
  journal = journal.extended(kNoOffset, Offset(150), 9);
  EXPECT_EQ(journal.open()->from, Offset(0));
  EXPECT_TRUE(journal.covers(kNoOffset, Offset(150))) << "each answer would cost a flush";
}

DegradedJournal outage(Offset from, Offset answered) {
  DegradedJournal journal = DegradedJournal().extended(from, answered, 7);
  journal.answered(answered);
  return journal;
}

TEST(Degraded, ItIsHealedWhenEnoughCopiesHaveKeptUpForAWhileAndHoldAllOfIt) {
  DegradedJournal journal = outage(Offset(100), Offset(150));
  EXPECT_FALSE(journal.healed(Offset(150), false, Time(0), kHold, 8));
  EXPECT_FALSE(journal.healed(Offset(150), true, Time(1000), kHold, 8));
  EXPECT_FALSE(journal.healed(Offset(150), true, Time(5999), kHold, 8));
  EXPECT_FALSE(journal.healed(Offset(150), false, Time(6000), kHold, 8)) << "from the start again";
  EXPECT_FALSE(journal.healed(Offset(150), true, Time(7000), kHold, 8));
  EXPECT_TRUE(journal.answering());
  EXPECT_FALSE(journal.healed(Offset(149), true, Time(12000), kHold, 8));
  EXPECT_TRUE(journal.answering()) << "the copies do not hold what there was when they came";
  const auto healed = journal.healed(Offset(160), true, Time(12000), kHold, 8);
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->open(), nullptr);
  EXPECT_FALSE(healed->answering());
  EXPECT_EQ(healed->ranges(), (std::vector<DegradedRange>{{Offset(100), Offset(150), 7, 8}}));
  // The next outage is another range.
  const DegradedJournal next = healed->extended(Offset(200), Offset(210), 20);
  ASSERT_EQ(next.ranges().size(), 2U);
  EXPECT_EQ(next.open()->from, Offset(200));
  EXPECT_EQ(next.answered(), Offset(0));
  EXPECT_FALSE(next.answering());
}

// Copies are always a bit behind what was answered this moment: first waits must wait again.
TEST(Degraded, ItIsHealedUnderLoadToo) {
  DegradedJournal journal = outage(Offset(100), Offset(150));
  Offset end(150);
  for (Time now(0); now < kHold; now += Time(100)) {
    EXPECT_FALSE(journal.healed(end + -1, true, now, kHold, 8));
    end = end + 10;
    journal.answered(end);
    EXPECT_TRUE(journal.answering());
  }
  EXPECT_FALSE(journal.healed(end + -1, true, kHold, kHold, 8));
  EXPECT_FALSE(journal.answering()) << "who waits now waits for copies";
  // One was too late all the same: from the start again.
  DegradedJournal again = journal;
  again.answered(end + 10);
  EXPECT_TRUE(again.answering());
  EXPECT_FALSE(again.healed(end + 10, true, kHold + Time(1), kHold, 8));
  EXPECT_TRUE(again.healed(end + 10, true, kHold + kHold + Time(1), kHold, 8));

  const auto healed = journal.healed(end, true, kHold + Time(1), kHold, 9);
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->ranges(), (std::vector<DegradedRange>{{Offset(100), end, 7, 9}}));
}

// What was answered before the process died is not known: all that was written may have been, and
// nothing was for certain.
TEST(Degraded, AfterARestartAllOfTheOpenRangeMustBeHeld) {
  const DegradedJournal before = outage(Offset(100), Offset(150));
  DegradedJournal journal(before.ranges(), Offset(180), std::nullopt, 8);
  EXPECT_EQ(journal.answered(), Offset(0)) << "readers would be shown what nobody acknowledged";
  EXPECT_FALSE(journal.answering()) << "the copies may be there by now";
  EXPECT_FALSE(journal.healed(Offset(179), true, Time(0), Time(0), 8));
  const auto healed = journal.healed(Offset(180), true, Time(0), Time(0), 8);
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->ranges()[0].to, Offset(180));
  const Offset to = Offset(150) + DegradedJournal::kAhead;
  EXPECT_FALSE(DegradedJournal(before.ranges(), to + 9, std::nullopt, 8)
                   .healed(to + -1, true, Time(0), Time(0), 8));
  EXPECT_TRUE(DegradedJournal(before.ranges(), to + 9, std::nullopt, 8)
                  .healed(to, true, Time(0), Time(0), 8));
}

// A torn record goes before the node is master, and was never answered.
TEST(Degraded, WhatTheLogLostBeforeItsMasterBeganIsNotWaitedFor) {
  const DegradedJournal before = outage(Offset(100), Offset(150));
  DegradedJournal journal =
      DegradedJournal(before.ranges(), Offset(180), std::nullopt, 8).begun(Offset(170), 8);
  ASSERT_NE(journal.open(), nullptr);
  EXPECT_FALSE(journal.healed(Offset(169), true, Time(0), Time(0), 9));
  EXPECT_TRUE(journal.healed(Offset(170), true, Time(0), Time(0), 9));
}

// The log went on to 150 when the range was written.
TEST(Degraded, WhatALossOfPowerTookOfARangeIsLost) {
  const DegradedJournal before = outage(Offset(100), Offset(150));
  const auto after = [&](std::int64_t end) {
    return DegradedJournal(before.ranges(), Offset(end), std::nullopt, 8);
  };
  EXPECT_EQ(after(150).ranges(), before.ranges());
  const Offset to = before.open()->to;
  EXPECT_EQ(after(149).ranges(), (std::vector<DegradedRange>{{Offset(100), to, 7, 8, Offset(149)},
                                                             {Offset(100), Offset(149), 7}}));
  EXPECT_EQ(after(90).ranges(), (std::vector<DegradedRange>{{Offset(100), to, 7, 8, Offset(100)}}));
  EXPECT_FALSE(after(90).confirmed(Offset(90), 9)) << "nobody holds it";
  EXPECT_EQ(after(90).begun(Offset(90), 9).ranges(), after(90).ranges());
}

TEST(Degraded, WhereNothingWasAnsweredThereWasNoOutage) {
  DegradedJournal journal = DegradedJournal().extended(Offset(100), Offset(150), 7);
  const auto healed = journal.healed(Offset(100), true, Time(0), Time(0), 8);
  ASSERT_TRUE(healed);
  EXPECT_TRUE(healed->ranges().empty());
}

const DegradedRange kTold{Offset(100), Offset(200), 7};

TEST(Degraded, ASlaveKeepsWhatItsMasterHasOpen) {
  DegradedJournal journal = DegradedJournal().heard(kTold);
  EXPECT_EQ(journal.told(), kTold);
  EXPECT_EQ(journal.open(), nullptr);
  journal = journal.heard(std::nullopt);
  EXPECT_FALSE(journal.told());
  EXPECT_TRUE(journal.ranges().empty());
}

TEST(Degraded, WhatASlaveHasOpenIsHealedOnceItsMasterHasEnoughCopiesOfIt) {
  DegradedJournal journal = outage(Offset(100), Offset(150)).heard(kTold);
  EXPECT_FALSE(journal.confirmed(Offset(150), 8)) << "below policy there";
  journal = journal.heard(std::nullopt);
  EXPECT_NE(journal.open(), nullptr);
  EXPECT_FALSE(journal.confirmed(Offset(149), 8));
  EXPECT_FALSE(journal.confirmed(kNoOffset, 8));
  const auto healed = journal.confirmed(Offset(150), 9);
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->ranges(), (std::vector<DegradedRange>{{Offset(100), Offset(150), 7, 9}}));
  EXPECT_FALSE(healed->confirmed(Offset(150), 10));
}

TEST(Degraded, WhatIsCutOffWasLostAsFarAsItWasAnswered) {
  const DegradedJournal journal = outage(Offset(100), Offset(150));
  EXPECT_EQ(journal.cut(Offset(150), 8).ranges(), journal.ranges()) << "nothing answered goes";
  // What is left of it is not healed by that.
  EXPECT_EQ(journal.cut(Offset(120), 8).ranges(),
            (std::vector<DegradedRange>{{Offset(100), Offset(150), 7, 8, Offset(120)},
                                        {Offset(100), Offset(120), 7}}));
  EXPECT_FALSE(journal.cut(Offset(120), 8).confirmed(Offset(119), 9));
  EXPECT_TRUE(journal.cut(Offset(120), 8).confirmed(Offset(120), 9));
  const DegradedJournal all = journal.cut(Offset(90), 8);
  EXPECT_EQ(all.ranges(),
            (std::vector<DegradedRange>{{Offset(100), Offset(150), 7, 8, Offset(100)}}));
  EXPECT_TRUE(DegradedJournal().cut(Offset(0), 8).ranges().empty());
}

TEST(Degraded, AMasterInheritsWhatItsOwnMasterHadOpen) {
  EXPECT_TRUE(DegradedJournal().begun(Offset(0), 8).ranges().empty());
  const DegradedJournal slave = DegradedJournal().heard(kTold);
  DegradedJournal whole = slave.begun(Offset(200), 8);
  EXPECT_EQ(whole.ranges(), std::vector<DegradedRange>{kTold});
  EXPECT_FALSE(whole.told());
  EXPECT_EQ(whole.answered(), Offset(0));
  EXPECT_FALSE(whole.answering()) << "it waits for copies of its own first";
  EXPECT_FALSE(whole.healed(Offset(199), true, Time(0), Time(0), 9));
  EXPECT_TRUE(whole.healed(Offset(200), true, Time(0), Time(0), 9));

  EXPECT_EQ(slave.begun(Offset(170), 8).ranges(),
            (std::vector<DegradedRange>{{Offset(100), Offset(200), 7, 8, Offset(170)},
                                        {Offset(100), Offset(170), 7}}));
  EXPECT_EQ(slave.begun(Offset(50), 8).ranges(),
            (std::vector<DegradedRange>{{Offset(100), Offset(200), 7, 8, Offset(100)}}));
  // Its own, from when it was master before, is in there.
  EXPECT_EQ(outage(Offset(80), Offset(90)).heard(kTold).begun(Offset(200) + (1 << 20), 8).ranges(),
            (std::vector<DegradedRange>{{Offset(80), Offset(90) + DegradedJournal::kAhead, 7}}));
}

TEST(Degraded, TheOldestOutagesAreForgotten) {
  DegradedJournal journal;
  for (std::int64_t i = 0; i < 150; ++i) {
    journal = journal.extended(Offset(i), Offset(i + 1), i);
    journal.answered(Offset(i + 1));
    journal = journal.healed(Offset(i + 1), true, Time(0), Time(0), i).value();
  }
  EXPECT_EQ(journal.ranges().size(), DegradedJournal::kMostRanges);
  EXPECT_EQ(journal.ranges().back().since_ms, 149);
}

}  // namespace
}  // namespace ha::core
