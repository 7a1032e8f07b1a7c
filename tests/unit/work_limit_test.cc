// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/work_limit.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/core/printing.h"

namespace ha::net {
namespace {

using std::chrono::seconds;

constexpr core::Time kStart = seconds(100);

int takes(WorkLimit& limit, const std::string& origin, core::Time now) {
  int n = 0;
  while (n < 100'000 && limit.take(origin, now)) ++n;
  return n;
}

TEST(WorkLimit, ABurstThenARate) {
  WorkLimit limit;
  EXPECT_EQ(takes(limit, "10.0.0.7", kStart), WorkLimit::kBurst);
  EXPECT_EQ(takes(limit, "10.0.0.7", kStart + seconds(1)), WorkLimit::kPerSecond);
  EXPECT_EQ(takes(limit, "10.0.0.7", kStart + seconds(1)), 0);
  EXPECT_EQ(takes(limit, "10.0.0.7", kStart + seconds(3600)), WorkLimit::kBurst);
}

TEST(WorkLimit, OneOriginTakesNothingFromAnother) {
  WorkLimit limit;
  takes(limit, "10.0.0.7", kStart);
  EXPECT_TRUE(limit.take("10.0.0.8", kStart));
}

// More origins than are remembered share one bucket, until the others are quiet for a while.
TEST(WorkLimit, AFloodOfOriginsIsOneOrigin) {
  WorkLimit limit;
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) taken += limit.take(std::to_string(i), kStart) ? 1 : 0;
  EXPECT_GE(taken, 4096);
  EXPECT_LE(taken, 4097 + WorkLimit::kBurst);
  EXPECT_FALSE(limit.take("another", kStart));
  EXPECT_EQ(takes(limit, "another", kStart + seconds(10)), WorkLimit::kBurst);
}

}  // namespace
}  // namespace ha::net
