// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/in_sync_member.h"

#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

using std::chrono::seconds;

constexpr InSyncLimits kLimits{.lag_bytes = 1000, .lag_time = seconds(10), .hold = seconds(5)};
constexpr Lag kSmall{.bytes = 10, .time = seconds(1)};
constexpr Lag kNothing{.caught_up = true};

TEST(InSyncMember, EntersAsSoonAsItsLagIsWithinTheLimits) {
  InSyncMember member;
  EXPECT_FALSE(member.in());
  EXPECT_FALSE(member.judge({.bytes = 1000}, kLimits, seconds(1)));
  EXPECT_FALSE(member.judge({.bytes = 1, .time = seconds(11)}, kLimits, seconds(2)));
  EXPECT_FALSE(member.in());
  EXPECT_EQ(member.left_for(), Reason::kNone);
  EXPECT_TRUE(member.judge({.bytes = 999, .time = seconds(10)}, kLimits, seconds(3)));
  EXPECT_TRUE(member.in());
  EXPECT_FALSE(member.judge(kSmall, kLimits, seconds(4)));  // nothing new
}

TEST(InSyncMember, LeavesForItsLagAndSaysWhichLag) {
  InSyncMember member;
  member.judge(kNothing, kLimits, seconds(0));
  EXPECT_TRUE(member.judge({.bytes = 1000}, kLimits, seconds(1)));
  EXPECT_FALSE(member.in());
  EXPECT_EQ(member.left_for(), Reason::kLagBytes);

  InSyncMember slow;
  slow.judge(kNothing, kLimits, seconds(0));
  EXPECT_TRUE(slow.judge({.bytes = 1, .time = seconds(10) + Time(1)}, kLimits, seconds(1)));
  EXPECT_EQ(slow.left_for(), Reason::kLagTime);
}

TEST(InSyncMember, ReturnsOnlyAfterItWasCaughtUpAndThenKeptUpForTheHoldTime) {
  InSyncMember member;
  member.judge(kNothing, kLimits, seconds(0));
  member.judge({.bytes = 1000}, kLimits, seconds(1));
  EXPECT_FALSE(member.judge(kSmall, kLimits, seconds(100)));  // it was not caught up yet
  EXPECT_FALSE(member.judge(kSmall, kLimits, seconds(200)));
  EXPECT_FALSE(member.judge(kNothing, kLimits, seconds(300)));
  EXPECT_FALSE(member.judge(kSmall, kLimits, seconds(305) - Time(1)));
  EXPECT_TRUE(member.judge(kSmall, kLimits, seconds(305)));
  EXPECT_TRUE(member.in());
}

TEST(InSyncMember, ALapseInTheHoldTimeRestartsIt) {
  InSyncMember member;
  member.judge(kNothing, kLimits, seconds(0));
  member.judge({.bytes = 1000}, kLimits, seconds(1));
  member.judge(kNothing, kLimits, seconds(2));
  EXPECT_FALSE(member.judge({.bytes = 1, .time = seconds(11)}, kLimits, seconds(6)));
  EXPECT_FALSE(member.judge(kSmall, kLimits, seconds(20)));
  EXPECT_FALSE(member.judge(kNothing, kLimits, seconds(30)));
  EXPECT_FALSE(member.judge(kNothing, kLimits, seconds(34)));
  EXPECT_TRUE(member.judge(kNothing, kLimits, seconds(35)));
}

TEST(InSyncMember, WithoutLimitsItIsAlwaysIn) {
  InSyncMember member;
  EXPECT_TRUE(member.judge({.bytes = INT64_MAX - 1, .time = seconds(1 << 20)}, {}, seconds(0)));
}

}  // namespace
}  // namespace ha::core
