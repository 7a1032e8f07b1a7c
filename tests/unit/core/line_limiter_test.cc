// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/line_limiter.h"

#include <gtest/gtest.h>

#include <vector>

namespace ha::core {
namespace {

using std::chrono::seconds;

constexpr Time kStart = seconds(1000);
constexpr std::int32_t kLevel = 3;

std::vector<std::string> turn(LineLimiter& lines, Time now, bool at_end = false) {
  std::vector<std::string> said;
  lines.turn(
      now,
      [&](std::int32_t level, const std::string& text) {
        EXPECT_EQ(level, kLevel);
        said.push_back(text);
      },
      at_end);
  return said;
}

TEST(LineLimiter, SaysTheFirstOfAWindowAndCountsTheRest) {
  LineLimiter lines;
  int said = 0;
  for (int i = 0; i < 320; ++i) said += lines.admit(kStart, "refused connections", kLevel) ? 1 : 0;
  EXPECT_EQ(said, LineLimiter::kBurst);
  EXPECT_TRUE(turn(lines, kStart + seconds(9)).empty());
  const std::vector<std::string> told{"and 300 more refused connections within 11 s"};
  EXPECT_EQ(turn(lines, kStart + seconds(11)), told);
  EXPECT_TRUE(turn(lines, kStart + seconds(30)).empty());
  EXPECT_TRUE(lines.admit(kStart + seconds(30), "refused connections", kLevel));
}

TEST(LineLimiter, KindsDoNotHideEachOther) {
  LineLimiter lines;
  while (lines.admit(kStart, "noise", kLevel)) {
  }
  EXPECT_TRUE(lines.admit(kStart, "signal", kLevel));
  EXPECT_TRUE(lines.admit(kStart, "many", kLevel, 2));
  EXPECT_TRUE(lines.admit(kStart, "many", kLevel, 2));
  EXPECT_FALSE(lines.admit(kStart, "many", kLevel, 2));
}

TEST(LineLimiter, AFewLinesAreAllSaidAndNothingMore) {
  LineLimiter lines;
  for (int i = 0; i < LineLimiter::kBurst; ++i) EXPECT_TRUE(lines.admit(kStart, "x", kLevel));
  EXPECT_TRUE(turn(lines, kStart + seconds(60)).empty());
}

TEST(LineLimiter, TellsWhatItHoldsAtTheEnd) {
  LineLimiter lines;
  while (lines.admit(kStart, "x", kLevel)) {
  }
  EXPECT_EQ(turn(lines, kStart + seconds(1), true).size(), 1u);
}

}  // namespace
}  // namespace ha::core
