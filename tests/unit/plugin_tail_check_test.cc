// SPDX-License-Identifier: Apache-2.0
// A slave on RocketMQ's default wire asks for some of its last bytes again, and believes only a
// master that has the same.
#include <gtest/gtest.h>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

constexpr std::int64_t kSegment = 4096;

// The two ways in which bytes reach the host.
class TailCheck : public ::testing::TestWithParam<bool> {
 protected:
  TailCheck() : host_(features()) {}
  static HostFeatures features() {
    HostFeatures f;
    f.append_reserve = GetParam();
    return f;
  }
  void expect_stopped(const Instance& slave, std::int32_t reason) {
    EXPECT_TRUE(Instance::eventually(
        [&] { return slave.snapshot().total.client_state == HA_STATE_SUSPEND; }));
    EXPECT_EQ(slave.snapshot().total.client_reason, reason);
    EXPECT_EQ(host_.appends(), 0);
    EXPECT_GE(host_.count_logs("nothing was stored"), 1U);
  }

  Listener listener_;
  MemoryHost host_;
};
INSTANTIATE_TEST_SUITE_P(Append, TailCheck, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_P(TailCheck, GoesOnAfterTheSameBytes) {
  host_.grow(kSegment + 500);
  Instance slave(host_, {{"tail_check_bytes", "100"}});
  Peer master = slave.follow(listener_, kSegment + 400);
  // A heartbeat that comes before the data means nothing; the second frame is half old, half new.
  ASSERT_TRUE(master.send_frame(kSegment + 400, 0));
  ASSERT_TRUE(master.send_log(kSegment + 400, 30));
  ASSERT_TRUE(master.send_frame(kSegment + 430, 0));
  ASSERT_TRUE(master.send_log(kSegment + 430, 120));
  ASSERT_TRUE(host_.wait_for_end(kSegment + 550));
  std::int64_t acknowledged = 0;
  while (acknowledged < kSegment + 550) {
    const std::int64_t report = master.read_report();
    ASSERT_GE(report, acknowledged);
    acknowledged = report;
  }
  EXPECT_EQ(acknowledged, kSegment + 550);
  EXPECT_EQ(host_.first_wrong_byte(), "");
  EXPECT_EQ(slave.snapshot().total.client_state, HA_STATE_TRANSFER);
}

TEST_P(TailCheck, AsksNoFurtherBackThanTheLastSegment) {
  host_.grow(2 * kSegment + 10);
  Instance slave(host_);
  Peer master = slave.follow(listener_, 2 * kSegment);
}

TEST_P(TailCheck, AnotherByteStopsItForGood) {
  host_.grow(500);
  Instance slave(host_, {{"tail_check_bytes", "100"}, {"reconnect_max_ms", "50"}});
  Peer master = slave.follow(listener_, 400);
  std::vector<std::byte> body = bytes_at(400, 200);
  body[99] ^= std::byte{1};
  ASSERT_TRUE(master.send_frame(400, 200, body));
  EXPECT_TRUE(master.wait_closed());
  EXPECT_TRUE(host_.wait_for_log("another byte than this log at 499"));
  EXPECT_TRUE(host_.wait_for_log("not trying again"));
  expect_stopped(slave, HA_REASON_DIVERGED);
  EXPECT_EQ(host_.end(), 500);
}

TEST_P(TailCheck, AMasterThatHasNothingThereIsLeft) {
  host_.grow(500);
  Instance slave(host_, {{"tail_check_bytes", "100"}, {"reconnect_max_ms", "3600000"}});
  Peer master = slave.follow(listener_, 400);
  ASSERT_TRUE(master.send_log(400, 50));
  ASSERT_TRUE(master.send_frame(450, 0));
  ASSERT_TRUE(master.send_frame(450, 0));
  EXPECT_TRUE(master.wait_closed());
  EXPECT_TRUE(host_.wait_for_log("nothing at 450, though this log goes on to 500"));
  expect_stopped(slave, HA_REASON_OFFSET_MISMATCH);
}

TEST_P(TailCheck, AWrongOffsetWithinTheTailIsRefused) {
  host_.grow(500);
  Instance slave(host_, {{"tail_check_bytes", "100"}, {"reconnect_max_ms", "3600000"}});
  Peer master = slave.follow(listener_, 400);
  ASSERT_TRUE(master.send_log(500, 10));
  EXPECT_TRUE(master.wait_closed());
  expect_stopped(slave, HA_REASON_OFFSET_MISMATCH);
}

}  // namespace
}  // namespace ha::testing
