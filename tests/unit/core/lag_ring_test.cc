// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/lag_ring.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

using std::chrono::milliseconds;

TEST(LagRing, NothingBeyondTheAckMeansNever) {
  LagRing ring;
  EXPECT_EQ(ring.appended_at(Offset(0)), kNever);
  ring.record(Offset(100), milliseconds(1));
  EXPECT_EQ(ring.appended_at(Offset(100)), kNever);
  EXPECT_EQ(ring.appended_at(Offset(500)), kNever);
}

TEST(LagRing, FindsTheReadingThatFirstHeldTheByte) {
  LagRing ring;
  ring.record(Offset(100), milliseconds(10));
  ring.record(Offset(200), milliseconds(30));
  ring.record(Offset(300), milliseconds(50));
  EXPECT_EQ(ring.appended_at(Offset(0)), milliseconds(10));
  EXPECT_EQ(ring.appended_at(Offset(99)), milliseconds(10));
  EXPECT_EQ(ring.appended_at(Offset(100)), milliseconds(30));
  EXPECT_EQ(ring.appended_at(Offset(299)), milliseconds(50));
}

TEST(LagRing, ReadingsCloseToEachOtherShareTheOlderTime) {
  LagRing ring;
  ring.record(Offset(100), milliseconds(10));
  ring.record(Offset(200), milliseconds(19));
  ring.record(Offset(300), milliseconds(20));
  EXPECT_EQ(ring.appended_at(Offset(150)), milliseconds(10));
  EXPECT_EQ(ring.appended_at(Offset(250)), milliseconds(20));
}

TEST(LagRing, AReadingWithoutGrowthChangesNothing) {
  LagRing ring;
  ring.record(Offset(100), milliseconds(10));
  ring.record(Offset(100), milliseconds(900));
  EXPECT_EQ(ring.appended_at(Offset(50)), milliseconds(10));
}

TEST(LagRing, ForgetsForALogThatWasCut) {
  LagRing ring;
  ring.record(Offset(1000), milliseconds(10));
  ring.forget();
  ring.record(Offset(500), milliseconds(100));
  EXPECT_EQ(ring.appended_at(Offset(0)), milliseconds(100));
}

// Far more readings than there is room for: a byte's time may become older, never younger, and what
// came last stays exact.
TEST(LagRing, ThinningNeverUnderstatesALag) {
  std::mt19937_64 random(ha::testing::announced_seed());
  struct Reading {
    Offset end;
    Time at;
  };
  std::vector<Reading> all;
  LagRing ring;
  Offset end(0);
  Time now{};
  for (int i = 0; i < 5000; ++i) {
    end = end + 1 + static_cast<std::int64_t>(random() % 1000);
    now += milliseconds(10 + static_cast<std::int64_t>(random() % 100));
    all.push_back({end, now});
    ring.record(end, now);
  }
  Offset begin(0);
  Time last{};
  for (const Reading& reading : all) {
    const Time said = ring.appended_at(begin);  // the first byte of this reading
    ASSERT_LE(said, reading.at);
    ASSERT_GE(said, last) << "times must rise with offsets";
    last = said;
    begin = reading.end;
  }
  const Offset before_last = all[all.size() - 2].end;
  EXPECT_EQ(ring.appended_at(before_last), all.back().at);
}

}  // namespace
}  // namespace ha::core
