// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/backoff.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

using std::chrono::milliseconds;

constexpr Time kMost = milliseconds(5000);

TEST(Backoff, IsQuickFirstDoublesAndStopsAtTheMost) {
  Backoff low;
  Backoff high;
  for (const std::int64_t ms : {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000}) {
    const Time half = milliseconds(ms) / 2;
    EXPECT_EQ(low.next(0, kMost), half);
    EXPECT_EQ(high.next(static_cast<std::uint64_t>(half.count()), kMost), milliseconds(ms));
  }
}

TEST(Backoff, StaysBetweenHalfAndAllOfAStepForAnyRandomNumber) {
  for (const std::uint64_t random : {std::uint64_t{1}, std::uint64_t{123456789}, UINT64_MAX}) {
    Backoff backoff;
    const Time pause = backoff.next(random, kMost);
    EXPECT_GE(pause, milliseconds(25));
    EXPECT_LE(pause, milliseconds(50));
  }
}

TEST(Backoff, StartsOverAfterReset) {
  Backoff backoff;
  for (int i = 0; i < 5; ++i) backoff.next(0, kMost);
  backoff.reset();
  EXPECT_EQ(backoff.next(0, kMost), milliseconds(25));
}

TEST(Backoff, ObeysAMostThatWasLowered) {
  Backoff backoff;
  for (int i = 0; i < 10; ++i) backoff.next(0, kMost);
  EXPECT_LE(backoff.next(UINT64_MAX, milliseconds(60)), milliseconds(60));
}

}  // namespace
}  // namespace ha::core
