// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/follower.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

constexpr std::int64_t kSegment = 4096;
constexpr Time kHeartbeat(100);
constexpr Time kHousekeeping(1000);

LogBounds log(std::int64_t min, std::int64_t end) { return {Offset(min), Offset(end), kSegment}; }

TEST(JudgeFrame, TakesOnlyWhatFits) {
  constexpr std::int64_t kBig = std::int64_t{1} << 30;  // segments that a whole frame fits in
  struct Row {
    const char* name;
    std::int64_t offset;
    std::int64_t size;
    LogBounds log;
    Reason reason;
    bool reset;
  };
  const Row rows[] = {
      {"the next bytes", 100, 50, log(0, 100), Reason::kNone, false},
      {"a heartbeat", 100, 0, log(0, 100), Reason::kNone, false},
      {"up to the segment's end", 100, kSegment - 100, log(0, 100), Reason::kNone, false},
      {"one byte over it", 100, kSegment - 99, log(0, 100), Reason::kSegmentSize, false},
      {"a whole segment at its start", kSegment, kSegment, log(0, kSegment), Reason::kNone, false},
      {"too early", 99, 10, log(0, 100), Reason::kOffsetMismatch, false},
      {"too late", 101, 10, log(0, 100), Reason::kOffsetMismatch, false},
      {"a heartbeat elsewhere", 101, 0, log(0, 100), Reason::kOffsetMismatch, false},
      {"an empty log from 0", 0, 10, log(0, 0), Reason::kNone, false},
      {"an empty log from a later segment", 3 * kSegment, 10, log(0, 0), Reason::kNone, true},
      {"an empty log, a heartbeat there", 3 * kSegment, 0, log(0, 0), Reason::kNone, true},
      {"an empty log, no segment's start", 3 * kSegment + 8, 10, log(0, 0), Reason::kSegmentSize,
       false},
      {"an empty log that once held bytes", 2 * kSegment, 10, log(kSegment, kSegment),
       Reason::kOffsetMismatch, false},
      {"a negative size", 100, -1, log(0, 100), Reason::kFrameSize, false},
      {"the size that makes RocketMQ spin", 100, -12, log(0, 100), Reason::kFrameSize, false},
      {"the least size", 100, INT32_MIN, log(0, 100), Reason::kFrameSize, false},
      {"the largest body", 0, kMaxBodyBytes, {Offset(0), Offset(0), kBig}, Reason::kNone, false},
      {"one byte more",
       0,
       kMaxBodyBytes + 1,
       {Offset(0), Offset(0), kBig},
       Reason::kFrameSize,
       false},
      {"a negative offset", -1, 0, log(0, 0), Reason::kOffsetMismatch, false},
      {"an end beyond all offsets", INT64_MAX, 1, log(0, 0), Reason::kOffsetMismatch, false},
      {"the last offset", INT64_MAX, 0, log(0, 0), Reason::kSegmentSize, false},
  };
  for (const Row& row : rows) {
    const FrameVerdict verdict = judge_frame(Offset(row.offset), row.size, row.log);
    EXPECT_EQ(verdict.reason, row.reason) << row.name;
    EXPECT_EQ(verdict.reset, row.reset) << row.name;
  }
}

TEST(Follower, OnlyWhatReconnectingCannotFixIsFinal) {
  const std::set<Reason> final{Reason::kSegmentSize, Reason::kCorrupt, Reason::kDiverged,
                               Reason::kHostMisuse};
  const std::set<Reason> patient{Reason::kOffsetMismatch,  Reason::kEpoch,    Reason::kProtocol,
                                 Reason::kRequestAboveEnd, Reason::kVersion,  Reason::kCluster,
                                 Reason::kUnknownReplica,  Reason::kReplaced, Reason::kLoop,
                                 Reason::kSetDiffers,      Reason::kTls,      Reason::kIdentity};
  for (std::size_t r = 0; r <= lists::kReasonSlots; ++r) {  // the last is no reason
    const auto reason = static_cast<Reason>(r);
    EXPECT_EQ(is_final(reason), final.contains(reason)) << "reason " << r;
    EXPECT_EQ(is_up_to_the_master(reason), patient.contains(reason)) << "reason " << r;
  }
}

TEST(Follower, ReportsAtOnceThenOnGrowthThenWhenIdle) {
  Follower follower(Time(0));
  EXPECT_TRUE(follower.report_due(Time(0), Offset(0), kHeartbeat));
  follower.on_report_sent(Time(0), Offset(0));
  EXPECT_FALSE(follower.report_due(Time(99), Offset(0), kHeartbeat));
  EXPECT_TRUE(follower.report_due(Time(99), Offset(1), kHeartbeat));
  EXPECT_TRUE(follower.report_due(Time(100), Offset(0), kHeartbeat));
}

TEST(Follower, OnlyReadsCountAgainstSilence) {
  Follower follower(Time(0));
  follower.on_report_sent(Time(900), Offset(0));
  EXPECT_FALSE(follower.silent(Time(999), kHousekeeping));
  EXPECT_TRUE(follower.silent(Time(1000), kHousekeeping));
  follower.on_bytes(Time(1000), 1, true);
  EXPECT_FALSE(follower.silent(Time(1999), kHousekeeping));
}

// Heartbeats of 12 bytes that are taken for a body are no sign of life; a slow link's bytes are.
TEST(Follower, ABodyThatGetsNowhereIsSilence) {
  Follower follower(Time(0));
  for (std::int64_t now = 100; now <= 900; now += 100) follower.on_bytes(Time(now), 12, false);
  EXPECT_FALSE(follower.silent(Time(999), kHousekeeping));
  EXPECT_TRUE(follower.silent(Time(1000), kHousekeeping));
  follower.on_bytes(Time(900), kTrickleBytes - 9 * 12, false);
  EXPECT_FALSE(follower.silent(Time(1899), kHousekeeping));
  follower.on_bytes(Time(1800), 12, true);
  EXPECT_FALSE(follower.silent(Time(2799), kHousekeeping));
  EXPECT_TRUE(follower.silent(Time(2800), kHousekeeping));
}

TEST(Follower, LooksAgainForWhateverIsDueFirst) {
  Follower follower(Time(0));
  EXPECT_EQ(follower.next_check(kHeartbeat, kHousekeeping, true), kHeartbeat);
  EXPECT_EQ(follower.next_check(kHeartbeat, kHousekeeping, false), kHousekeeping);
  follower.on_report_sent(Time(950), Offset(0));
  EXPECT_EQ(follower.next_check(kHeartbeat, kHousekeeping, true), kHousekeeping);
}

TEST(Follower, IsInTransferFromTheFirstFrame) {
  Follower follower(Time(0));
  EXPECT_EQ(follower.state(), State::kHandshake);
  follower.on_bytes(Time(1), 1, true);
  EXPECT_EQ(follower.state(), State::kHandshake);
  follower.on_frame();
  EXPECT_EQ(follower.state(), State::kTransfer);
}

}  // namespace
}  // namespace ha::core
