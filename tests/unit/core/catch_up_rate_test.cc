// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/catch_up_rate.h"

#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kNoLimit = 0;

// Windows of a tenth of a second with 200 waits each.
class CatchUpRateTest : public ::testing::Test {
 protected:
  // Of the 200, late ones wait longer than the others.
  void wait(Time usual, int late = 0, Time longer = {}) {
    for (int i = 0; i < 200; ++i) rate.on_wait(i < late ? longer : usual, now);
    now += milliseconds(100);
  }
  // A window during a catch-up. Returns the rate in the next one.
  std::int64_t wait_beside(Time usual, int late = 0, Time longer = {}) {
    rate.at(now);
    wait(usual, late, longer);
    return rate.at(now);
  }

  CatchUpRate rate;
  Time now = seconds(100);
};

TEST_F(CatchUpRateTest, HasNoLimitWithoutProducers) {
  EXPECT_EQ(rate.at(now), kNoLimit);
  now += seconds(10);
  EXPECT_EQ(rate.at(now), kNoLimit);
}

TEST_F(CatchUpRateTest, RisesWhileWaitsAreAsUsual) {
  wait(milliseconds(2));
  EXPECT_EQ(rate.at(now), CatchUpRate::kLeast);
  EXPECT_EQ(wait_beside(milliseconds(2)), CatchUpRate::kLeast * 9 / 8);
  EXPECT_EQ(wait_beside(milliseconds(2)), CatchUpRate::kLeast * 81 / 64);
  for (int i = 0; i < 30; ++i) wait_beside(milliseconds(2));
  EXPECT_EQ(rate.at(now), CatchUpRate::kMost);
}

TEST_F(CatchUpRateTest, IsHalvedWhenWaitsAreLonger) {
  wait(milliseconds(2));
  for (int i = 0; i < 16; ++i) wait_beside(milliseconds(2));
  const std::int64_t before = rate.at(now);
  EXPECT_EQ(wait_beside(milliseconds(2), 3, milliseconds(6)), before / 2);
  EXPECT_EQ(wait_beside(milliseconds(2)), before / 2 + before / 16);
}

TEST_F(CatchUpRateTest, FallsToTheLeastRate) {
  wait(milliseconds(2));
  for (int i = 0; i < 4; ++i) wait_beside(milliseconds(2));
  for (int i = 0; i < 5; ++i) wait_beside(milliseconds(9));
  EXPECT_EQ(rate.at(now), CatchUpRate::kLeast);
}

// The catch-up is not the cause of waits that are as long at the least rate.
TEST_F(CatchUpRateTest, RisesAgainWhenWaitsStayLongAtTheLeastRate) {
  wait(milliseconds(2));
  for (int i = 0; i < 60; ++i) wait_beside(milliseconds(9));
  EXPECT_GT(rate.at(now), CatchUpRate::kLeast);
}

TEST_F(CatchUpRateTest, OnePercentOfTheWaitsMayBeLonger) {
  wait(milliseconds(2));
  const std::int64_t before = wait_beside(milliseconds(2));
  EXPECT_GT(wait_beside(milliseconds(2), 2, seconds(1)), before);
}

TEST_F(CatchUpRateTest, ASingleLongWaitDoesNotCount) {
  wait(milliseconds(2));
  std::int64_t before = rate.at(now);
  for (int i = 0; i < 3; ++i) {
    rate.on_wait(seconds(1), now);
    now += seconds(1);
    const std::int64_t next = rate.at(now);
    EXPECT_GT(next, before);
    before = next;
  }
}

TEST_F(CatchUpRateTest, AShortWaitIsNeverTooLong) {
  wait(microseconds(30));
  const std::int64_t before = wait_beside(microseconds(30));
  const std::int64_t after = wait_beside(microseconds(400));
  EXPECT_GT(after, before);
  EXPECT_LT(wait_beside(microseconds(700)), after);
}

TEST_F(CatchUpRateTest, MeasuresWaitsAtTheLeastRateIfItKnowsNone) {
  rate.at(now);  // a replica catches up before anybody produces
  wait(milliseconds(50));
  EXPECT_EQ(rate.at(now), CatchUpRate::kLeast);
  EXPECT_EQ(wait_beside(milliseconds(50)), CatchUpRate::kLeast);  // 50 ms is usual here
  EXPECT_GT(wait_beside(milliseconds(50)), CatchUpRate::kLeast);
  EXPECT_EQ(wait_beside(milliseconds(90)), CatchUpRate::kLeast);
}

TEST_F(CatchUpRateTest, AFewWaitsDoNotSayWhatIsUsual) {
  wait(milliseconds(2));
  for (int i = 0; i < 3; ++i) {
    rate.on_wait(microseconds(30), now);
    now += seconds(1);
  }
  const std::int64_t before = wait_beside(milliseconds(2));
  EXPECT_GT(wait_beside(milliseconds(2)), before);
}

TEST_F(CatchUpRateTest, WaitsOfLongAgoDoNotCount) {
  wait(milliseconds(2));
  rate.on_wait(milliseconds(2), now);
  now += seconds(10);
  EXPECT_EQ(rate.at(now), kNoLimit);
}

TEST_F(CatchUpRateTest, TheLimitEndsWhenProducersStop) {
  wait(milliseconds(2));
  wait_beside(milliseconds(2));
  EXPECT_NE(rate.at(now), kNoLimit);
  now += seconds(1);
  rate.at(now);  // the window in which they went
  now += seconds(1);
  EXPECT_EQ(rate.at(now), kNoLimit);
}

// What they wait for may share a disk or a network with the catch-up.
TEST_F(CatchUpRateTest, TheLimitStaysWhileProducersWaitAndNobodyIsAnswered) {
  wait(milliseconds(2));
  for (int i = 0; i < 4; ++i) wait_beside(milliseconds(2));
  const std::int64_t before = rate.at(now, true);
  for (int i = 0; i < 5; ++i) {
    now += seconds(1);
    EXPECT_NE(rate.at(now, true), kNoLimit);
    EXPECT_LE(rate.at(now, true), before * 9 / 8);
  }
  now += seconds(1);
  EXPECT_EQ(rate.at(now, false), kNoLimit);
}

TEST_F(CatchUpRateTest, BeginsAtTheLeastRateWhenProducersWaitAlready) {
  rate.at(now, true);
  now += seconds(1);
  EXPECT_EQ(rate.at(now, true), CatchUpRate::kLeast);
}

TEST_F(CatchUpRateTest, AWindowWithoutEnoughCopiesDoesNotCount) {
  wait(milliseconds(2));
  wait(seconds(60));
  for (int i = 0; i < 4; ++i) wait_beside(milliseconds(2));
  const std::int64_t before = rate.at(now);
  EXPECT_LT(wait_beside(milliseconds(5)), before);
}

TEST_F(CatchUpRateTest, UsualWaitsRiseWhenTheNetworkGetsSlower) {
  wait(milliseconds(2));
  for (int i = 0; i < 40; ++i) wait(milliseconds(50));
  const std::int64_t before = wait_beside(milliseconds(50));
  EXPECT_GT(wait_beside(milliseconds(50)), before);
}

}  // namespace
}  // namespace ha::core
