// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/replica_session.h"

#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

constexpr std::int64_t kSegment = 1 << 20;
constexpr SessionOptions kOptions{Time(7000), Time(20000), Time(15000), 32 * 1024,
                                  Bootstrap::kLatestSegment};

LogBounds log(std::int64_t min, std::int64_t end, std::int64_t segment = kSegment) {
  return {Offset(min), Offset(end), segment};
}

ReplicaSession opened(std::int64_t request, const LogBounds& bounds,
                      Bootstrap bootstrap = Bootstrap::kLatestSegment) {
  ReplicaSession session(Time(0));
  EXPECT_EQ(session.on_report(Offset(request), bounds, bootstrap), Reason::kNone);
  return session;
}

TEST(ReplicaSession, IsSilentUntilTheFirstReport) {
  ReplicaSession session(Time(0));
  EXPECT_EQ(session.state(), State::kHandshake);
  EXPECT_FALSE(session.next_frame(Time(14999), log(0, 5000), INT64_MAX, kOptions));
}

// RocketMQ, observed: a master at 3001152 with segments of 1 MiB begins at 2097152.
TEST(ReplicaSession, Request0StartsAtTheLastSegment) {
  EXPECT_EQ(opened(0, log(0, 3001152)).start(), Offset(2097152));
  EXPECT_EQ(opened(0, log(0, 100)).start(), Offset(0));
  EXPECT_EQ(opened(0, log(0, 0)).start(), Offset(0));
}

TEST(ReplicaSession, Request0WithTheEndOnABoundaryStartsAtTheEnd) {
  const LogBounds bounds = log(0, 2 * kSegment);
  const ReplicaSession session = opened(0, bounds);
  EXPECT_EQ(session.start(), Offset(2 * kSegment));
  const auto frame = session.next_frame(Time(0), bounds, INT64_MAX, kOptions);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->offset, Offset(2 * kSegment));
  EXPECT_EQ(frame->size, 0);  // says where it goes on, at once
}

TEST(ReplicaSession, Request0StartsAtTheFirstByteHeldByOption) {
  EXPECT_EQ(opened(0, log(0, 3001152), Bootstrap::kEarliest).start(), Offset(0));
  EXPECT_EQ(opened(0, log(kSegment, 3001152), Bootstrap::kEarliest).start(), Offset(kSegment));
}

TEST(ReplicaSession, AnyOtherRequestInsideTheLogIsTakenExactly) {
  const LogBounds bounds = log(kSegment, 3 * kSegment);
  EXPECT_EQ(opened(kSegment, bounds).start(), Offset(kSegment));
  EXPECT_EQ(opened(kSegment + 1, bounds).start(), Offset(kSegment + 1));
  EXPECT_EQ(opened(3 * kSegment, bounds).start(), Offset(3 * kSegment));
}

TEST(ReplicaSession, ARequestOutsideTheLogIsRefused) {
  const LogBounds bounds = log(kSegment, 3 * kSegment);
  const auto answer = [&](std::int64_t request) {
    ReplicaSession session(Time(0));
    const Reason reason = session.on_report(Offset(request), bounds, Bootstrap::kLatestSegment);
    EXPECT_FALSE(session.reported());
    return reason;
  };
  EXPECT_EQ(answer(kSegment - 1), Reason::kRequestBelowMin);
  EXPECT_EQ(answer(1), Reason::kRequestBelowMin);
  EXPECT_EQ(answer(3 * kSegment + 1), Reason::kRequestAboveEnd);
  EXPECT_EQ(answer(INT64_MAX), Reason::kRequestAboveEnd);
  EXPECT_EQ(answer(-1), Reason::kRequestAboveEnd);
  EXPECT_EQ(answer(INT64_MIN), Reason::kRequestAboveEnd);
}

TEST(ReplicaSession, AReportMayNameWhatWasSentAndNoByteMore) {
  const LogBounds bounds = log(0, 1000);
  ReplicaSession session = opened(100, bounds);
  session.on_frame_started({Offset(100), 50});
  EXPECT_EQ(session.on_report(Offset(151), bounds, {}), Reason::kReportAhead);
  EXPECT_EQ(session.ack(), Offset(100));
  EXPECT_EQ(session.on_report(Offset(150), bounds, {}), Reason::kNone);
  EXPECT_EQ(session.ack(), Offset(150));
}

// An empty slave that was started at a later segment reports that start before it got a byte.
TEST(ReplicaSession, AReportMayNameTheStartBeforeAnythingWasSent) {
  const LogBounds bounds = log(0, 3001152);
  ReplicaSession session = opened(0, bounds);
  EXPECT_EQ(session.on_report(Offset(2097152), bounds, {}), Reason::kNone);
  EXPECT_EQ(session.on_report(Offset(2097153), bounds, {}), Reason::kReportAhead);
}

TEST(ReplicaSession, AReportMayNotFall) {
  const LogBounds bounds = log(0, 1000);
  ReplicaSession session = opened(500, bounds);
  EXPECT_EQ(session.on_report(Offset(500), bounds, {}), Reason::kNone);
  EXPECT_EQ(session.on_report(Offset(499), bounds, {}), Reason::kReportBackward);
  EXPECT_EQ(session.on_report(Offset(-1), bounds, {}), Reason::kReportBackward);
  EXPECT_EQ(session.on_report(Offset(INT64_MIN), bounds, {}), Reason::kReportBackward);
  EXPECT_EQ(session.ack(), Offset(500));
}

TEST(ReplicaSession, FramesFollowEachOtherAndNeverCrossASegment) {
  std::mt19937_64 random(ha::testing::announced_seed());
  constexpr std::int64_t kSmall = 5000;
  SessionOptions options = kOptions;
  options.batch_bytes = 1800;
  const LogBounds bounds = log(0, 7 * kSmall + 123, kSmall);
  ReplicaSession session = opened(0, bounds, Bootstrap::kEarliest);
  Offset at(0);
  while (at < bounds.end) {
    const auto allowance = static_cast<std::int64_t>(1 + random() % 4000);
    const auto frame = session.next_frame(Time(0), bounds, allowance, options);
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->offset, at);
    ASSERT_GT(frame->size, 0);
    ASSERT_LE(frame->size, std::min<std::int64_t>(allowance, options.batch_bytes));
    ASSERT_LE(frame->end(), bounds.end);
    ASSERT_EQ(frame->offset.bytes() / kSmall, (frame->end().bytes() - 1) / kSmall);
    session.on_frame_started(*frame);
    at = frame->end();
  }
  EXPECT_FALSE(session.next_frame(Time(0), bounds, INT64_MAX, options));
}

TEST(ReplicaSession, TheFirstFrameIsNeverPutOff) {
  const LogBounds bounds = log(0, 1000);
  ReplicaSession session = opened(1000, bounds);
  const auto greeting = session.next_frame(Time(0), bounds, INT64_MAX, kOptions);
  ASSERT_TRUE(greeting);
  EXPECT_EQ(greeting->offset, Offset(1000));
  EXPECT_EQ(greeting->size, 0);
  session.on_frame_started(*greeting);
  EXPECT_FALSE(session.next_frame(Time(0), bounds, INT64_MAX, kOptions));
}

TEST(ReplicaSession, AHeartbeatIsDueWhenNothingWasWrittenForItsTime) {
  const LogBounds bounds = log(0, 1000);
  ReplicaSession session = opened(1000, bounds);
  session.on_frame_started({Offset(1000), 0});
  session.on_written(Time(100));
  EXPECT_EQ(session.next_check(kOptions, true), Time(7100));
  EXPECT_FALSE(session.next_frame(Time(7099), bounds, INT64_MAX, kOptions));
  const auto heartbeat = session.next_frame(Time(7100), bounds, INT64_MAX, kOptions);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->size, 0);
  EXPECT_EQ(heartbeat->offset, Offset(1000));
}

// A rate limit must not look like a dead master.
TEST(ReplicaSession, AHeartbeatIsDueAlsoWhileTheRateLimitForbidsData) {
  const LogBounds bounds = log(0, 1000);
  ReplicaSession session = opened(500, bounds);
  session.on_frame_started({Offset(500), 0});
  session.on_written(Time(0));
  EXPECT_FALSE(session.next_frame(Time(6999), bounds, 0, kOptions));
  const auto heartbeat = session.next_frame(Time(7000), bounds, 0, kOptions);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->size, 0);
  EXPECT_EQ(heartbeat->offset, Offset(500));
}

// What is not of this master's epoch is no copy, and nothing is durable below the epoch's start.
TEST(ReplicaSession, ANativeAckCountsFromTheEpochOn) {
  ReplicaSession session(Time(0));
  session.accept(Offset(100));
  session.on_frame_started({Offset(100), 900});
  const Offset start(500);
  EXPECT_EQ(session.on_ack(Offset(400), Offset(300), false, start), Reason::kNone);
  EXPECT_EQ(session.ack(), Offset(0));
  EXPECT_EQ(session.durable(), Offset(0));
  EXPECT_EQ(session.on_ack(Offset(399), Offset(300), false, start), Reason::kReportBackward);
  EXPECT_EQ(session.on_ack(Offset(600), Offset(499), true, start), Reason::kNone);
  EXPECT_EQ(session.ack(), Offset(600));
  EXPECT_EQ(session.durable(), Offset(0));
  EXPECT_EQ(session.on_ack(Offset(600), Offset(500), true, start), Reason::kNone);
  EXPECT_EQ(session.durable(), Offset(500));
  EXPECT_EQ(session.on_ack(Offset(1001), Offset(500), true, start), Reason::kReportAhead);
}

TEST(ReplicaSession, SilenceBeforeAndAfterTheFirstReport) {
  ReplicaSession session(Time(0));
  session.on_bytes(Time(14000));  // stray bytes are no report
  EXPECT_EQ(session.check_silence(Time(14999), kOptions), Reason::kNone);
  EXPECT_EQ(session.check_silence(Time(15000), kOptions), Reason::kFirstReportTimeout);
  EXPECT_EQ(session.next_check(kOptions, true), Time(15000));

  ASSERT_EQ(session.on_report(Offset(0), log(0, 0), {}), Reason::kNone);
  EXPECT_EQ(session.check_silence(Time(33999), kOptions), Reason::kNone);
  EXPECT_EQ(session.check_silence(Time(34000), kOptions), Reason::kHousekeeping);
  session.on_bytes(Time(33999));  // half a report is a sign of life
  EXPECT_EQ(session.check_silence(Time(34000), kOptions), Reason::kNone);
}

TEST(ReplicaSession, WhileAFrameIsStuckOnlySilenceIsLookedFor) {
  ReplicaSession session = opened(0, log(0, 0));
  EXPECT_EQ(session.next_check(kOptions, false), Time(20000));
}

}  // namespace
}  // namespace ha::core
