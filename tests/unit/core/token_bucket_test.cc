// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/token_bucket.h"

#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Bytes that get through in `span` when the bucket is asked every `step`.
std::int64_t moved(std::int64_t rate, Time span, Time step, std::int64_t frame) {
  TokenBucket bucket;
  Time now = seconds(1000);
  const Time end = now + span;
  bucket.set_rate(now, rate);
  std::int64_t total = 0;
  for (; now < end; now += step) {
    bucket.set_rate(now, rate);  // as every turn does
    // Bounded, so that a bucket that never empties fails instead of going on for ever.
    for (int frames = 0; frames < 1000; ++frames) {
      const std::int64_t allowed = std::min(bucket.allowance(now), frame);
      if (allowed == 0) break;
      bucket.take(allowed);
      total += allowed;
    }
  }
  return total;
}

TEST(TokenBucket, WithoutARateThereIsNoLimit) {
  TokenBucket bucket;
  EXPECT_EQ(bucket.allowance(seconds(1)), INT64_MAX);
  bucket.take(1'000'000'000);
  EXPECT_EQ(bucket.allowance(seconds(1)), INT64_MAX);
}

TEST(TokenBucket, KeepsTheRateWithinTenPercent) {
  for (const std::int64_t rate : {1024, 100'000, 10'000'000, 1'000'000'000}) {
    const double expected = 10.0 * static_cast<double>(rate);
    const auto got = static_cast<double>(moved(rate, seconds(10), milliseconds(1), 256 * 1024));
    EXPECT_NEAR(got, expected, 0.1 * expected) << "rate " << rate;
  }
}

// A turn happens at every append: asking often must not eat the fractions of a byte.
TEST(TokenBucket, KeepsTheRateHoweverOftenItIsAsked) {
  for (const Time step :
       {Time(microseconds(7)), Time(microseconds(150)), Time(microseconds(1700))}) {
    for (const std::int64_t rate : {1024, 10'000, 500'000}) {
      const double expected = 5.0 * static_cast<double>(rate);
      const auto got = static_cast<double>(moved(rate, seconds(5), step, 256 * 1024));
      EXPECT_NEAR(got, expected, 0.1 * expected)
          << "rate " << rate << ", asked every " << step.count() << " ns";
    }
  }
}

TEST(TokenBucket, NeverSavesUpMoreThanATenthOfASecond) {
  TokenBucket bucket;
  bucket.set_rate(seconds(1), 1'000'000);
  EXPECT_EQ(bucket.allowance(seconds(100)), 100'000);
}

// FlowMonitorTest.testLimit: what was taken is missing from the allowance, and comes back.
TEST(TokenBucket, WhatWasTakenIsMissingAndComesBack) {
  TokenBucket bucket;
  bucket.set_rate(seconds(1), 1'000'000);
  ASSERT_EQ(bucket.allowance(seconds(2)), 100'000);
  bucket.take(30'000);
  EXPECT_EQ(bucket.allowance(seconds(2)), 70'000);
  EXPECT_EQ(bucket.allowance(seconds(4)), 100'000);
}

// A trickle of tiny frames would cost more than it moves.
TEST(TokenBucket, AllowsNothingUntilAFrameIsWorthIt) {
  TokenBucket bucket;
  bucket.set_rate(seconds(1), 1'000'000);
  EXPECT_EQ(bucket.allowance(seconds(1) + milliseconds(16)), 0);
  EXPECT_GE(bucket.allowance(seconds(1) + milliseconds(17)), 16384);
}

TEST(TokenBucket, SaysWhenItWillAllowSomething) {
  for (const std::int64_t rate : {1024, 33'333, 1'000'000, 1'000'000'000}) {
    TokenBucket bucket;
    Time now = seconds(5);
    bucket.set_rate(now, rate);
    for (int i = 0; i < 100; ++i) {
      const std::int64_t allowed = bucket.allowance(now);
      if (allowed > 0) bucket.take(allowed);
      ASSERT_EQ(bucket.allowance(now), 0);
      const Time ready = bucket.ready_at(now);
      ASSERT_GT(ready, now);
      // Waking up there must find something, or the caller would go round without end.
      ASSERT_GT(bucket.allowance(ready), 0) << "rate " << rate << " round " << i;
      now = ready;
    }
  }
}

TEST(TokenBucket, ALowerRateTakesAwayWhatWasSavedUp) {
  TokenBucket bucket;
  bucket.set_rate(seconds(1), 100'000'000);
  ASSERT_EQ(bucket.allowance(seconds(2)), 10'000'000);
  bucket.set_rate(seconds(2), 1'000'000);
  EXPECT_LE(bucket.allowance(seconds(2)), 100'000);
  bucket.set_rate(seconds(2), 0);
  EXPECT_EQ(bucket.allowance(seconds(2)), INT64_MAX);
}

TEST(TokenBucket, SurvivesTheHighestRateThatTheOptionAllows) {
  TokenBucket bucket;
  bucket.set_rate(seconds(1), INT64_MAX / 16);
  for (int i = 1; i < 50; ++i) EXPECT_GT(bucket.allowance(seconds(1 + i)), 0);
}

}  // namespace
}  // namespace ha::core
