// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/ack_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

TEST(AckTracker, WithoutReplicasThereIsNoSecondCopy) {
  const AckTracker tracker;
  EXPECT_EQ(tracker.replicas(), 0);
  EXPECT_EQ(tracker.held_by(2), kNoOffset);
}

TEST(AckTracker, TheNthCopyIsTheNthHighestAck) {
  AckTracker tracker;
  tracker.join(1, "a", Offset(100));
  tracker.join(2, "b", Offset(300));
  tracker.join(3, "c", Offset(200));
  EXPECT_EQ(tracker.held_by(2), Offset(300));
  EXPECT_EQ(tracker.held_by(3), Offset(200));
  EXPECT_EQ(tracker.held_by(4), Offset(100));
  EXPECT_EQ(tracker.held_by(5), kNoOffset);
}

TEST(AckTracker, TwoConnectionsOfOneReplicaAreOneCopyAndTheBetterCounts) {
  AckTracker tracker;
  tracker.join(1, "a", Offset(100));
  tracker.join(2, "a", Offset(500));
  EXPECT_EQ(tracker.replicas(), 1);
  EXPECT_EQ(tracker.held_by(2), Offset(500));
  EXPECT_EQ(tracker.held_by(3), kNoOffset);
}

// A past maximum is no copy: the bytes may have been on the connection that is gone.
TEST(AckTracker, ForgetsWhatTheBetterConnectionHeldWhenItLeaves) {
  AckTracker tracker;
  tracker.join(1, "a", Offset(100));
  tracker.join(2, "a", Offset(500));
  tracker.leave(2);
  EXPECT_EQ(tracker.held_by(2), Offset(100));
  tracker.leave(1);
  EXPECT_EQ(tracker.replicas(), 0);
  EXPECT_EQ(tracker.held_by(2), kNoOffset);
  tracker.join(3, "a", Offset(50));
  EXPECT_EQ(tracker.held_by(2), Offset(50));
}

TEST(AckTracker, IgnoresTheEndOfAConnectionThatNeverReported) {
  AckTracker tracker;
  tracker.join(1, "a", Offset(100));
  tracker.leave(77);
  EXPECT_EQ(tracker.replicas(), 1);
}

TEST(AckTracker, AgreesWithASortedListUnderRandomOperations) {
  std::mt19937_64 random(ha::testing::announced_seed());
  struct Known {
    std::string replica;
    std::int64_t ack = 0;
  };
  std::map<AckTracker::ConnectionId, Known> naive;
  AckTracker tracker;
  AckTracker::ConnectionId next = 1;
  for (int step = 0; step < 20'000; ++step) {
    const auto what = random() % 10;
    if (naive.empty() || what < 2) {
      const Known known{"r" + std::to_string(random() % 6),
                        static_cast<std::int64_t>(random() % 100)};
      tracker.join(next, known.replica, Offset(known.ack));
      naive[next++] = known;
    } else {
      auto at = naive.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random() % naive.size()));
      if (what < 8) {
        at->second.ack += static_cast<std::int64_t>(random() % 50);
        std::map<std::int32_t, Offset> before;
        for (std::int32_t n = 2; n <= tracker.replicas() + 1; ++n) before[n] = tracker.held_by(n);
        const auto changed = tracker.ack(at->first, Offset(at->second.ack));
        for (const auto& [n, held] : before) {
          if (n >= changed.first && n <= changed.last) continue;
          ASSERT_EQ(tracker.held_by(n), held) << "step " << step << " copy " << n;
        }
      } else {
        tracker.leave(at->first);
        naive.erase(at);
      }
    }
    std::map<std::string, std::int64_t> best;
    for (const auto& [id, known] : naive) {
      auto& b = best.try_emplace(known.replica, -1).first->second;
      b = std::max(b, known.ack);
    }
    std::vector<std::int64_t> acks;
    for (const auto& [replica, ack] : best) acks.push_back(ack);
    std::sort(acks.rbegin(), acks.rend());
    ASSERT_EQ(tracker.replicas(), static_cast<std::int32_t>(acks.size())) << "step " << step;
    for (std::size_t i = 0; i < acks.size(); ++i) {
      ASSERT_EQ(tracker.held_by(static_cast<std::int32_t>(i) + 2), Offset(acks[i]))
          << "step " << step << " copy " << i + 2;
    }
    ASSERT_EQ(tracker.held_by(static_cast<std::int32_t>(acks.size()) + 2), kNoOffset);
  }
}

}  // namespace
}  // namespace ha::core
