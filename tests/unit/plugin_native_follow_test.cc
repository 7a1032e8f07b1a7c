// SPDX-License-Identifier: Apache-2.0
// The native protocol, the slave's side: what it says of itself, what becomes of bytes that were
// changed on the way, and how it tells one kind of master from the other.
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"

namespace ha::testing {
namespace {

using core::Decision;
using core::Offset;
using core::Reason;

constexpr std::int64_t kSegment = 4096;

class NativeFollower : public ::testing::TestWithParam<bool> {
 protected:
  NativeFollower() : host_(features()) {}
  static HostFeatures features() {
    HostFeatures f;
    f.append_reserve = GetParam();
    return f;
  }
  std::unique_ptr<NativeMaster> serve(Instance& slave, std::int64_t end) {
    slave.start_slave(listener_.address());
    return accept(end);
  }
  std::unique_ptr<NativeMaster> accept(std::int64_t end) {
    auto master = std::make_unique<NativeMaster>(listener_.accept());
    const auto hello = master->greet(0, end);
    EXPECT_TRUE(hello && master->resume(*hello));
    return master;
  }

  Listener listener_;
  MemoryHost host_;
};

INSTANTIATE_TEST_SUITE_P(Append, NativeFollower, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST(Native, ASlaveOfAnotherClusterSaysSoAndGoesOnTrying) {
  MemoryHost master_host;
  MemoryHost slave_host;
  Instance master(master_host, {{"cluster_id", "prod"}});
  Instance slave(slave_host, native({{"cluster_id", "test"}, {"reconnect_max_ms", "50"}}));
  master.start_master();
  slave.start_slave(address_of(master));
  EXPECT_TRUE(
      slave_host.wait_for_log("the master refused this slave: the slave is of another cluster", 2));
  EXPECT_TRUE(master_host.wait_for_log("its is 'test', the master's 'prod'"));
  EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_CLUSTER);
  EXPECT_EQ(slave_host.appends(), 0);
}

TEST(Native, ALogThatWentApartIsRefusedAndFollowingStops) {
  MemoryHost host;
  host.grow(kSegment);
  Instance master(host);
  master.start_master();
  NativeSlave other(master.port());
  const auto greeting = other.open();
  ASSERT_TRUE(greeting);
  core::Hello hello = hello_of("b", 0, 500);
  ++hello.tail_hash;
  const auto answer = other.say(hello);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reason, Reason::kDiverged);

  Listener listener;
  MemoryHost slave_host;
  slave_host.grow(100);
  Instance slave(slave_host, native());
  slave.start_slave(listener.address());
  NativeMaster refusing(listener.accept());
  ASSERT_TRUE(refusing.greet(0, 200));
  ASSERT_TRUE(refusing.answer(*answer));
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_state == HA_STATE_SUSPEND; }));
  EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_DIVERGED);
  EXPECT_EQ(slave_host.end(), 100);
}

TEST_P(NativeFollower, SaysWhoItIsAndWhatItHolds) {
  host_.grow(kSegment + 100);
  host_.set_durable(70);
  Instance slave(host_, native({{"replica_id", "b"}, {"cluster_id", "prod"}}));
  slave.start_slave(listener_.address());
  NativeMaster master(listener_.accept());
  const auto hello = master.greet(0, 2 * kSegment);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->replica, "b");
  EXPECT_EQ(hello->cluster, "prod");
  EXPECT_EQ(hello->segment_size, kSegment);
  EXPECT_EQ(hello->end, Offset(kSegment + 100));
  EXPECT_EQ(hello->tail_start, Offset(0));
  EXPECT_EQ(hello->tail_hash, hash_of_log(0, kSegment + 100));
  EXPECT_GT(hello->incarnation, 0u);
  ASSERT_TRUE(master.resume(*hello));
  const auto ack = master.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->received, Offset(kSegment + 100));
  EXPECT_EQ(ack->durable, Offset(70));
}

// Cut anywhere, together with what follows, in any pieces.
TEST_P(NativeFollower, FramesMayComeInAnyPieces) {
  Instance slave(host_, native());
  const auto master = serve(slave, 4 * kSegment);
  wire::native::Bytes stream;
  for (std::int64_t at = 0; at < 3000; at += 600) {
    const auto frame = native_frame(at, 600);
    stream.insert(stream.end(), frame.begin(), frame.end());
    const auto beat = native_frame(at + 600, 0);
    stream.insert(stream.end(), beat.begin(), beat.end());
  }
  for (std::size_t at = 0, piece = 1; at < stream.size(); at += piece, piece = piece % 97 + 13) {
    const auto n = std::min(piece, stream.size() - at);
    ASSERT_TRUE(master->peer().send(std::span(stream).subspan(at, n)));
  }
  ASSERT_TRUE(host_.wait_for_end(3000));
  EXPECT_EQ(host_.first_wrong_byte(), "");
  EXPECT_TRUE(master->ack_with(3000));
}

// It lends less than a frame: then the frame is gathered elsewhere.
TEST(Native, AHostMayLendLittle) {
  HostFeatures features;
  features.append_reserve = true;
  features.reserve_most = 100;
  MemoryHost master_host;
  MemoryHost slave_host(features);
  Instance master(master_host, {{"bootstrap", "earliest"}});
  Instance slave(slave_host, native());
  master.start_master();
  master_host.grow(kSegment + 50);
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host.wait_for_end(kSegment + 50));
  EXPECT_EQ(slave_host.first_wrong_byte(), "");
}

TEST(Native, AnAnswerThatDoesNotFitIsRefused) {
  for (const auto& [decision, offset] : {std::pair{Decision::kResume, std::int64_t{50}},
                                         std::pair{Decision::kReset, std::int64_t{50}}}) {
    Listener listener;
    MemoryHost host;
    host.grow(100);
    Instance slave(host, native());
    slave.start_slave(listener.address());
    NativeMaster master(listener.accept());
    ASSERT_TRUE(master.greet(0, 200));
    core::Answer answer;
    answer.decision = decision;
    answer.offset = Offset(offset);
    ASSERT_TRUE(master.answer(answer));
    EXPECT_TRUE(master.peer().wait_closed());
    EXPECT_TRUE(host.wait_for_log("the master's answer is wrong"));
    EXPECT_EQ(host.end(), 100);
  }
}

// The sentence goes into a log line, the reason into an array.
TEST(Native, WhatARefusalSaysIsTakenWithCare) {
  Listener listener;
  MemoryHost host;
  Instance slave(host, native());
  slave.start_slave(listener.address());
  NativeMaster master(listener.accept());
  ASSERT_TRUE(master.greet(0, 200));
  core::Answer answer;
  answer.reason = Reason::kRequested;  // would be this side's own
  answer.text = "two\nlines" + std::string(60'000, 'x');
  ASSERT_TRUE(master.answer(answer));
  EXPECT_TRUE(master.peer().wait_closed());
  EXPECT_TRUE(host.wait_for_log("the master refused this slave: two?lines"));
  EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_PROTOCOL);
}

TEST_P(NativeFollower, TheHostsOwnFlushIsToldAtOnce) {
  Instance slave(
      host_, native({{"native_heartbeat_ms", "600000"}, {"native_housekeeping_ms", "1800000"}}));
  const auto master = serve(slave, kSegment);
  ASSERT_TRUE(master->send_log(0, 300));
  ASSERT_TRUE(host_.wait_for_end(300));
  host_.set_durable(200);
  slave.notify_durable(200);
  const auto ack = master->ack_with(300, 200);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->durable, Offset(200));
}

TEST_P(NativeFollower, NothingOfAChangedFrameIsStored) {
  Instance slave(host_, native());
  auto master = serve(slave, kSegment);
  ASSERT_TRUE(master->send_log(0, 300));
  ASSERT_TRUE(host_.wait_for_end(300));
  auto changed = native_frame(300, 200);
  changed[changed.size() - 50] ^= std::byte{4};
  ASSERT_TRUE(master->peer().send(changed));
  ASSERT_TRUE(host_.wait_for_log("(checksum mismatch); nothing of it was stored"));
  EXPECT_EQ(host_.end(), 300);
  EXPECT_EQ(slave.sample("ha_client_closes_total{reason=\"checksum\"}"), 1);
  // It comes back by itself and goes on.
  master = accept(kSegment);
  ASSERT_TRUE(master->send_log(300, 200));
  ASSERT_TRUE(host_.wait_for_end(500));
  EXPECT_EQ(host_.first_wrong_byte(), "");
}

TEST_P(NativeFollower, AFrameThatBreaksOffLeavesNothing) {
  Instance slave(host_, native());
  auto master = serve(slave, kSegment);
  const auto frame = native_frame(0, 500);
  ASSERT_TRUE(master->peer().send(std::span(frame).first(300)));
  master->peer().leave();
  master = accept(kSegment);
  EXPECT_EQ(host_.end(), 0);
  ASSERT_TRUE(master->send_log(0, 500));
  ASSERT_TRUE(host_.wait_for_end(500));
  EXPECT_EQ(host_.first_wrong_byte(), "");
}

TEST_P(NativeFollower, WhatDoesNotFitEndsTheConnection) {
  struct Row {
    const char* name;
    wire::native::Bytes bytes;
    std::int32_t reason;
  };
  const Row rows[] = {
      {"a gap", native_frame(10, 5), HA_REASON_OFFSET_MISMATCH},
      {"bytes again", native_frame(-1, 5), HA_REASON_OFFSET_MISMATCH},
      {"across a segment's end", native_frame(0, kSegment + 1), HA_REASON_SEGMENT_SIZE},
      {"another epoch", native_frame(0, 5, 7), HA_REASON_EPOCH},
      {"another protocol", wire::native::Bytes(100), HA_REASON_PROTOCOL},
  };
  for (const Row& row : rows) {
    MemoryHost host(features());
    Listener listener;
    Instance slave(host, native());
    slave.start_slave(listener.address());
    NativeMaster master(listener.accept());
    const auto hello = master.greet(0, kSegment);
    ASSERT_TRUE(hello) << row.name;
    ASSERT_TRUE(master.resume(*hello));
    ASSERT_TRUE(master.peer().send(row.bytes)) << row.name;
    EXPECT_TRUE(Instance::eventually([&] {
      return slave.snapshot().total.client_reason == row.reason;
    })) << row.name
        << ": " << slave.snapshot().total.client_reason;
    EXPECT_EQ(host.end(), 0) << row.name;
  }
}

TEST_P(NativeFollower, WithAckDurableNothingIsAcknowledgedBeforeItsFlush) {
  std::promise<void> disk;
  const std::shared_future<void> done = disk.get_future().share();
  host_.on_flush([done](std::int64_t end) {
    if (end > 0) done.wait();
    return HA_OK;
  });
  Instance slave(host_, native({{"ack_durable", "true"}, {"native_heartbeat_ms", "10"}}));
  const auto master = serve(slave, kSegment);
  ASSERT_TRUE(master->send_log(0, 300));
  ASSERT_TRUE(host_.wait_for_end(300));
  for (int heartbeats = 0; heartbeats < 5; ++heartbeats) {
    const auto ack = master->ack();
    if (!ack) {
      ADD_FAILURE() << "no heartbeat";
      break;
    }
    EXPECT_EQ(ack->received, Offset(0));
    EXPECT_EQ(ack->durable, Offset(0));
  }
  disk.set_value();
  const auto ack = master->ack_with(300);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->durable, Offset(300));
}

TEST_P(NativeFollower, AMasterThatDoesNotAnswerIsTakenForARocketmqBroker) {
  host_.grow(100);
  Instance slave(host_, {{"wire", "auto"}, {"wire_probe_ms", "20"}, {"tail_check_bytes", "0"}});
  Peer master = slave.follow(listener_, -1);
  ASSERT_EQ(master.read_report(), 100);
  ASSERT_TRUE(master.send_log(100, 50));
  ASSERT_TRUE(host_.wait_for_end(150));
  EXPECT_EQ(master.read_report(), 150);
  EXPECT_TRUE(host_.wait_for_log("it is taken for a RocketMQ broker"));
}

// Once greeted it knows whom it speaks to, however long the answer takes.
TEST_P(NativeFollower, AMasterThatGreetedIsNotARocketmqBroker) {
  Instance slave(host_, {{"wire", "auto"},
                         {"wire_probe_ms", "10"},
                         {"native_heartbeat_ms", "10"},
                         {"native_housekeeping_ms", "100"}});
  slave.start_slave(listener_.address());
  NativeMaster master(listener_.accept());
  ASSERT_TRUE(master.greet(0, 0));
  EXPECT_EQ(master.peer().read_report(), INT64_MIN);
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOUSEKEEPING; }));
}

TEST_P(NativeFollower, WireNativeNeverFallsBack) {
  host_.grow(100);
  Instance slave(host_, native({{"native_heartbeat_ms", "10"},
                                {"native_housekeeping_ms", "100"},
                                {"wire_probe_ms", "10"}}));
  Peer master = slave.follow(listener_, -1);
  EXPECT_EQ(master.read_report(), INT64_MIN);
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOUSEKEEPING; }));
}

}  // namespace
}  // namespace ha::testing
