// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/catch_up.h"

#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kFar = kLiveTailBytes + 1000;

TEST(Pace, CatchingUpIsOnTopOfTheLogsGrowthAndBelowWhatAnyReplicaMayHave) {
  EXPECT_EQ(pace(0, 0, 500), 0);      // no limit
  EXPECT_EQ(pace(100, 0, 500), 100);  // none of its own
  EXPECT_EQ(pace(0, 50, 500), 550);
  EXPECT_EQ(pace(1000, 50, 500), 550);
  EXPECT_EQ(pace(520, 50, 500), 520);
}

TEST(CatchUpWatch, IsStalledOnceItHasComeNoNearerForTheWholeTime) {
  CatchUpWatch watch;
  EXPECT_FALSE(watch.look(kFar, seconds(0), seconds(30)));
  EXPECT_FALSE(watch.look(kFar, seconds(29), seconds(30)));
  EXPECT_FALSE(watch.stalled());
  EXPECT_TRUE(watch.look(kFar + 500, seconds(30), seconds(30)));
  EXPECT_TRUE(watch.stalled());
  EXPECT_FALSE(watch.look(kFar, seconds(31), seconds(30)));  // said already
  EXPECT_TRUE(watch.look(kFar - 1, seconds(32), seconds(30)));
  EXPECT_FALSE(watch.stalled());
}

TEST(CatchUpWatch, EachByteNearerRestartsTheTime) {
  CatchUpWatch watch;
  watch.look(kFar, seconds(0), seconds(30));
  watch.look(kFar - 1, seconds(20), seconds(30));
  EXPECT_FALSE(watch.look(kFar - 1, seconds(49), seconds(30)));
  EXPECT_TRUE(watch.look(kFar - 1, seconds(50), seconds(30)));
}

TEST(CatchUpWatch, WhoLacksOnlyTheLiveTailIsNotWatched) {
  CatchUpWatch watch;
  EXPECT_FALSE(watch.look(kLiveTailBytes, seconds(0), seconds(30)));
  EXPECT_FALSE(watch.look(kLiveTailBytes, seconds(100), seconds(30)));
  // Having been near is no yardstick once it is far.
  EXPECT_FALSE(watch.look(kFar, seconds(101), seconds(30)));
  EXPECT_FALSE(watch.look(kFar + 1, seconds(130), seconds(30)));
  EXPECT_TRUE(watch.look(kFar + 1, seconds(131), seconds(30)));
}

}  // namespace
}  // namespace ha::core
