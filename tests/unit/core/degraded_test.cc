#include "ha_plugin/core/degraded.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

constexpr Time kHold(5000);

TEST(Degraded, AnOutageIsOneRangeFromWhatWasHeldOn) {
  DegradedJournal journal;
  EXPECT_FALSE(journal.covers(Offset(0)));
  EXPECT_EQ(journal.open(), nullptr);
  journal = journal.extended(Offset(100), Offset(150), 7);
  EXPECT_TRUE(journal.covers(Offset(150)));
  journal.answered(Offset(150));
  ASSERT_NE(journal.open(), nullptr);
  EXPECT_EQ(journal.open()->from, Offset(100));
  EXPECT_EQ(journal.open()->since_ms, 7);
  // Written ahead, so that not every answer costs a flush.
  const Offset ahead = Offset(150) + DegradedJournal::kAhead;
  EXPECT_TRUE(journal.covers(ahead));
  EXPECT_FALSE(journal.covers(ahead + 1));
  journal = journal.extended(Offset(120), ahead + 1, 9);
  EXPECT_TRUE(journal.covers(ahead + 1));
  ASSERT_EQ(journal.ranges().size(), 1U);
  EXPECT_EQ(journal.open()->from, Offset(100));
  EXPECT_EQ(journal.open()->since_ms, 7);
}

TEST(Degraded, ItIsHealedWhenEnoughCopiesHaveHeldItForAWhile) {
  DegradedJournal journal = DegradedJournal().extended(Offset(100), Offset(150), 7);
  journal.answered(Offset(150));
  EXPECT_FALSE(journal.healed(Offset(149), Time(0), kHold, 8));
  EXPECT_FALSE(journal.healed(Offset(150), Time(1000), kHold, 8));
  EXPECT_FALSE(journal.healed(Offset(150), Time(5999), kHold, 8));
  EXPECT_FALSE(journal.healed(Offset(149), Time(6000), kHold, 8)) << "a copy left: from anew";
  EXPECT_FALSE(journal.healed(Offset(160), Time(7000), kHold, 8));
  const auto healed = journal.healed(Offset(160), Time(12000), kHold, 8);
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->open(), nullptr);
  EXPECT_EQ(healed->ranges(), (std::vector<DegradedRange>{{Offset(100), Offset(150), 7, 8}}));
  // The next outage is another range.
  const DegradedJournal next = healed->extended(Offset(200), Offset(210), 20);
  ASSERT_EQ(next.ranges().size(), 2U);
  EXPECT_EQ(next.open()->from, Offset(200));
  EXPECT_EQ(next.answered(), Offset(0));
}

// What was answered before the process died is not known: all that was written may have been.
TEST(Degraded, AfterARestartAllOfTheOpenRangeMustBeHeld) {
  const DegradedJournal before = DegradedJournal().extended(Offset(100), Offset(150), 7);
  DegradedJournal journal(before.ranges(), Offset(180));
  EXPECT_EQ(journal.answered(), Offset(180));
  EXPECT_FALSE(journal.healed(Offset(179), Time(0), Time(0), 8));
  EXPECT_TRUE(journal.healed(Offset(180), Time(0), Time(0), 8));
  const Offset to = Offset(150) + DegradedJournal::kAhead;
  EXPECT_EQ(DegradedJournal(before.ranges(), to + 9).answered(), to);
}

const DegradedRange kTold{Offset(100), Offset(200), 7};

TEST(Degraded, ASlaveKeepsWhatItsMasterHasOpen) {
  DegradedJournal journal;
  EXPECT_FALSE(journal.heard(std::nullopt, 1)) << "nothing new";
  journal = journal.heard(kTold, 1).value();
  EXPECT_EQ(journal.told(), kTold);
  EXPECT_EQ(journal.open(), nullptr);
  EXPECT_FALSE(journal.heard(kTold, 2));
  journal = journal.heard(std::nullopt, 3).value();
  EXPECT_FALSE(journal.told());
  EXPECT_TRUE(journal.ranges().empty());
}

TEST(Degraded, WhatASlaveHasOpenIsHealedWithItsMasters) {
  DegradedJournal journal = DegradedJournal().extended(Offset(100), Offset(150), 7);
  journal = journal.heard(kTold, 8).value();
  EXPECT_NE(journal.open(), nullptr);
  journal = journal.heard(std::nullopt, 9).value();
  ASSERT_EQ(journal.open(), nullptr);
  EXPECT_EQ(journal.ranges()[0].healed_ms, 9);
  EXPECT_FALSE(journal.ranges()[0].lost());
}

TEST(Degraded, WhatIsCutOffWasLostAsFarAsItWasAnswered) {
  DegradedJournal journal = DegradedJournal().extended(Offset(100), Offset(150), 7);
  journal.answered(Offset(150));
  EXPECT_FALSE(journal.cut(Offset(150), 8)) << "nothing that was answered goes";
  const DegradedJournal part = journal.cut(Offset(120), 8).value();
  EXPECT_EQ(part.ranges(),
            (std::vector<DegradedRange>{{Offset(100), Offset(150), 7, 8, Offset(120)}}));
  EXPECT_EQ(part.open(), nullptr);
  EXPECT_EQ(journal.cut(Offset(90), 8)->ranges()[0].lost_from, Offset(100));
  EXPECT_FALSE(DegradedJournal().cut(Offset(0), 8));
}

TEST(Degraded, AMasterInheritsWhatItsOwnMasterHadOpen) {
  EXPECT_FALSE(DegradedJournal().inherited(Offset(0), 8));
  const DegradedJournal slave = DegradedJournal().heard(kTold, 1).value();
  DegradedJournal whole = slave.inherited(Offset(200), 8).value();
  ASSERT_NE(whole.open(), nullptr);
  EXPECT_EQ(*whole.open(), kTold);
  EXPECT_FALSE(whole.told());
  EXPECT_EQ(whole.answered(), Offset(200));
  EXPECT_TRUE(whole.healed(Offset(200), Time(0), Time(0), 9));

  const DegradedJournal part = slave.inherited(Offset(170), 8).value();
  EXPECT_EQ(part.open(), nullptr);
  EXPECT_EQ(part.ranges(),
            (std::vector<DegradedRange>{{Offset(100), Offset(200), 7, 8, Offset(170)}}));
  EXPECT_EQ(slave.inherited(Offset(50), 8)->ranges()[0].lost_from, Offset(100));
}

TEST(Degraded, TheOldestOutagesAreForgotten) {
  DegradedJournal journal;
  for (std::int64_t i = 0; i < 150; ++i) {
    journal = journal.extended(Offset(i), Offset(i), i);
    journal = journal.healed(Offset(i), Time(0), Time(0), i).value();
  }
  EXPECT_EQ(journal.ranges().size(), DegradedJournal::kMostRanges);
  EXPECT_EQ(journal.ranges().back().since_ms, 149);
}

}  // namespace
}  // namespace ha::core
