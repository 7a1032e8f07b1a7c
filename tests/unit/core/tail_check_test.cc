// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/tail_check.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

TailCheck check(std::int64_t min, std::int64_t end, std::int64_t bytes) {
  return {{Offset(min), Offset(end), 1000}, bytes};
}

TEST(TailCheck, AsksForItsLastBytes) {
  EXPECT_EQ(check(0, 2500, 100).next(), Offset(2400));
  EXPECT_EQ(check(0, 2500, 100).left(), 100);
}

TEST(TailCheck, StaysWithinTheLastSegmentAndTheLog) {
  EXPECT_EQ(check(0, 2500, 9999).next(), Offset(2000));
  EXPECT_EQ(check(2000, 2500, 9999).next(), Offset(2000));
}

TEST(TailCheck, NeverAsksForZero) { EXPECT_EQ(check(0, 500, 9999).next(), Offset(1)); }

TEST(TailCheck, HasNothingToCheckAtASegmentsStartInAnEmptyLogOrWhenItIsOff) {
  EXPECT_EQ(check(0, 2000, 100).left(), 0);
  EXPECT_EQ(check(0, 0, 100).left(), 0);
  EXPECT_EQ(check(3000, 3000, 100).left(), 0);
  EXPECT_EQ(check(0, 1, 100).left(), 0);
  EXPECT_EQ(check(0, 2500, 0).left(), 0);
  EXPECT_EQ(TailCheck().left(), 0);
}

TEST(TailCheck, TheSecondHeartbeatInARowProvesThatNothingComes) {
  TailCheck tail = check(0, 2500, 100);
  EXPECT_FALSE(tail.on_heartbeat());
  tail.matched(40);
  EXPECT_EQ(tail.next(), Offset(2440));
  EXPECT_FALSE(tail.on_heartbeat());
  EXPECT_TRUE(tail.on_heartbeat());
}

TEST(TailCheck, HeartbeatsAfterTheCheckMeanNothing) {
  TailCheck tail = check(0, 2500, 100);
  tail.matched(100);
  EXPECT_EQ(tail.left(), 0);
  EXPECT_FALSE(tail.on_heartbeat());
  EXPECT_FALSE(tail.on_heartbeat());
}

}  // namespace
}  // namespace ha::core
