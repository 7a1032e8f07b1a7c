// SPDX-License-Identifier: Apache-2.0
// The slave's side, led by a master that the test plays.
#include <gtest/gtest.h>

#include "ha_plugin/wire/rocketmq.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

constexpr std::int64_t kSegment = 4096;
// For slaves that ask for their log's end and nothing below; plugin_tail_check_test.cc has the
// others.
const std::pair<std::string, std::string> kTrusting = {"tail_check_bytes", "0"};

std::int32_t client_state(const Instance& instance) {
  return instance.snapshot().total.client_state;
}

// The two ways in which bytes reach the host.
class Follow : public ::testing::TestWithParam<bool> {
 protected:
  static HostFeatures features() {
    HostFeatures f;
    f.append_reserve = GetParam();
    return f;
  }
};
INSTANTIATE_TEST_SUITE_P(Append, Follow, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_P(Follow, AsksAtOnceForItsEndAndAcknowledgesWhatItGot) {
  Listener listener;
  MemoryHost host(features());
  host.grow(100);
  Instance slave(host, {kTrusting});
  Peer master = slave.follow(listener, 100);
  EXPECT_TRUE(Instance::eventually([&] { return client_state(slave) == HA_STATE_HANDSHAKE; }));
  ASSERT_TRUE(master.send_log(100, 50));
  EXPECT_EQ(master.read_report(), 150);
  EXPECT_EQ(client_state(slave), HA_STATE_TRANSFER);
  EXPECT_EQ(host.end(), 150);
  EXPECT_EQ(host.first_wrong_byte(), "");
}

// Two frames and a heartbeat, cut once at every place of the stream.
TEST_P(Follow, FramesMayBeCutAnywhere) {
  Listener listener;
  std::vector<std::byte> stream;
  const auto add = [&](std::int64_t offset, std::int32_t size) {
    const wire::Header header = wire::encode_header({core::Offset(offset), size});
    const auto body = bytes_at(offset, size);
    stream.insert(stream.end(), header.begin(), header.end());
    stream.insert(stream.end(), body.begin(), body.end());
  };
  add(0, 30);
  add(30, 0);
  add(30, 25);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    MemoryHost one(features());
    Instance follower(one);
    Peer master = follower.follow(listener, 0);
    ASSERT_TRUE(master.send(std::span(stream).first(cut)));
    // The first part has been taken in, as far as it holds bytes of a body, when these are stored.
    const std::int64_t stored = cut <= 12   ? 0
                                : cut <= 42 ? static_cast<std::int64_t>(cut) - 12
                                : cut <= 66 ? 30
                                            : static_cast<std::int64_t>(cut) - 36;
    ASSERT_TRUE(one.wait_for_end(stored)) << "cut at " << cut << ", stored " << one.end();
    ASSERT_TRUE(master.send(std::span(stream).subspan(cut)));
    ASSERT_TRUE(one.wait_for_end(55)) << "cut at " << cut;
    ASSERT_EQ(one.first_wrong_byte(), "") << "cut at " << cut;
  }
}

TEST_P(Follow, AStreamOfSingleBytesArrives) {
  Listener listener;
  MemoryHost host(features());
  Instance slave(host);
  Peer master = slave.follow(listener, 0);
  for (std::int64_t at = 0; at < 200; at += 20) {
    const wire::Header header = wire::encode_header({core::Offset(at), 20});
    for (const std::byte& b : header) ASSERT_TRUE(master.send({&b, 1}));
    for (const std::byte b : bytes_at(at, 20)) ASSERT_TRUE(master.send({&b, 1}));
  }
  EXPECT_TRUE(host.wait_for_end(200));
  EXPECT_EQ(host.first_wrong_byte(), "");
}

TEST_P(Follow, ManyFramesOverManySegmentsArrive) {
  Listener listener;
  MemoryHost host(features());
  Instance slave(host);
  Peer master = slave.follow(listener, 0);
  std::int64_t at = 0;
  std::int64_t size = 1;
  while (at < 60 * kSegment) {
    const std::int64_t n = std::min(size, kSegment - at % kSegment);
    ASSERT_TRUE(master.send_log(at, static_cast<std::int32_t>(n)));
    at += n;
    size = size * 3 % 4093;
  }
  EXPECT_TRUE(host.wait_for_end(at));
  EXPECT_EQ(host.first_wrong_byte(), "");
  std::int64_t acked = 0;
  while (acked < at) {
    const std::int64_t report = master.read_report();
    ASSERT_GE(report, acked);
    acked = report;
  }
  EXPECT_EQ(acked, at);
}

TEST_P(Follow, ANodeOfOursFollowsANodeOfOurs) {
  MemoryHost host;
  const std::int64_t end = host.grow(50 * kSegment + 17);
  Instance master(host, {{"bootstrap", "earliest"}, {"in_sync_replicas", "2"}});
  master.start_master();
  MemoryHost copy(features());
  Instance slave(copy);
  slave.start_slave("127.0.0.1:" + std::to_string(master.port()));
  EXPECT_TRUE(copy.wait_for_end(end));
  EXPECT_EQ(copy.first_wrong_byte(), "");
  for (int i = 0; i < 100; ++i) {
    WaitLog waits;
    const std::int64_t to = host.grow(100 + i);
    const std::int32_t status = waits.wait(master, to, HA_ACKS_DEFAULT, 600'000);
    master.notify(to);
    ASSERT_EQ(status, HA_OK);
    ASSERT_EQ(waits.first_status(), HA_OK);
    ASSERT_GE(copy.end(), to);  // told only when the bytes are there
  }
  EXPECT_EQ(copy.first_wrong_byte(), "");
}

TEST_P(Follow, AnEmptyLogStartsWhereTheMastersDoes) {
  MemoryHost host;
  host.start_at(7 * kSegment);
  const std::int64_t end = host.grow(2 * kSegment + 5);
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  MemoryHost copy(features());
  Instance slave(copy);
  slave.start_slave("127.0.0.1:" + std::to_string(master.port()));
  EXPECT_TRUE(copy.wait_for_end(end));
  EXPECT_EQ(copy.min(), 7 * kSegment);
  EXPECT_EQ(copy.first_wrong_byte(), "");
}

TEST_P(Follow, ALostConnectionIsTakenUpWhereItEnded) {
  Listener listener;
  MemoryHost host(features());
  Instance slave(host, {kTrusting});
  slave.start_slave(listener.address());
  std::int64_t at = 0;
  for (int i = 0; i < 5; ++i) {
    Peer master = listener.accept();
    ASSERT_EQ(master.read_report(), at);
    // The header promises 100 bytes and 60 come.
    const wire::Header header = wire::encode_header({core::Offset(at), 100});
    ASSERT_TRUE(master.send(header));
    ASSERT_TRUE(master.send(bytes_at(at, 60)));
    at += 60;
    ASSERT_TRUE(host.wait_for_end(at));
    if (i % 2 == 0) master.reset();
  }
  EXPECT_EQ(host.first_wrong_byte(), "");
}

TEST(FollowFaults, AHostWithoutResetSaysThatItCannotStartThere) {
  HostFeatures features;
  features.reset = false;
  Listener listener;
  MemoryHost host(features);
  Instance slave(host);
  Peer master = slave.follow(listener, 0);
  ASSERT_TRUE(master.send_log(kSegment, 10));
  EXPECT_TRUE(host.wait_for_log("no hook 'reset'"));
  EXPECT_EQ(host.end(), 0);
}

TEST(FollowFaults, AWrongOffsetSuspendsAndIsTriedAgain) {
  Listener listener;
  MemoryHost host;
  host.grow(100);
  // The most that it waits; a hot retry would not look at it.
  Instance slave(host, {kTrusting, {"reconnect_max_ms", "300"}});
  slave.start_slave(listener.address());
  for (int i = 1; i <= 3; ++i) {
    Peer master = listener.accept();
    ASSERT_EQ(master.read_report(), 100);
    ASSERT_TRUE(master.send_log(50, 10));
    EXPECT_TRUE(master.wait_closed());
    EXPECT_TRUE(host.wait_for_log("offset_mismatch", static_cast<std::size_t>(i)));
    EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_OFFSET_MISMATCH);
    EXPECT_NE(client_state(slave), HA_STATE_READY);
  }
  EXPECT_EQ(slave.sample("ha_client_offset_mismatches_total"), 3);
  EXPECT_EQ(host.end(), 100);
  EXPECT_EQ(host.appends(), 0);
  EXPECT_GE(host.count_logs("nothing was stored"), 3u);
  // The master is mended: all goes on.
  Peer master = listener.accept();
  ASSERT_EQ(master.read_report(), 100);
  ASSERT_TRUE(master.send_log(100, 10));
  EXPECT_TRUE(host.wait_for_end(110));
  EXPECT_TRUE(Instance::eventually([&] { return client_state(slave) == HA_STATE_TRANSFER; }));
}

// An hour's pause: only a retry that ignores it would come back within the test.
TEST(FollowFaults, AWrongOffsetIsNotTriedAgainAtOnce) {
  Listener listener;
  MemoryHost host;
  host.grow(100);
  Instance slave(host, {kTrusting, {"reconnect_max_ms", "3600000"}});
  Peer master = slave.follow(listener, 100);
  ASSERT_TRUE(master.send_log(50, 10));
  EXPECT_TRUE(master.wait_closed());
  EXPECT_TRUE(Instance::eventually([&] { return client_state(slave) == HA_STATE_SUSPEND; }));
  // A new address, even the same, is a new start.
  ASSERT_EQ(slave.set_master_address(listener.address().c_str()), HA_OK);
  Peer again = listener.accept();
  EXPECT_EQ(again.read_report(), 100);
  EXPECT_EQ(slave.sample("ha_client_connects_total"), 2);
}

struct FinalCase {
  const char* name;
  std::int64_t end;  // of the slave's log
  std::int64_t offset;
  std::int32_t size;
  std::int32_t reason;
  const char* words;
};

TEST(FollowFaults, SegmentsOfAnotherSizeStopTheSlaveForGood) {
  const FinalCase cases[] = {
      {"no segment's start here", 0, kSegment + 8, 10, HA_REASON_SEGMENT_SIZE, "same segment size"},
      {"a frame over a segment's end", 100, 100, kSegment - 99, HA_REASON_SEGMENT_SIZE,
       "segments of 4096"},
  };
  for (const FinalCase& c : cases) {
    Listener listener;
    MemoryHost host;
    if (c.end > 0) host.grow(c.end);
    Instance slave(host, {kTrusting, {"reconnect_max_ms", "50"}});
    slave.start_slave(listener.address());
    Peer master = listener.accept();
    ASSERT_EQ(master.read_report(), c.end) << c.name;
    ASSERT_TRUE(master.send_log(c.offset, c.size));
    EXPECT_TRUE(master.wait_closed());
    EXPECT_TRUE(host.wait_for_log(c.words)) << c.name;
    EXPECT_TRUE(Instance::eventually([&] { return client_state(slave) == HA_STATE_SUSPEND; }));
    EXPECT_EQ(slave.snapshot().total.client_reason, c.reason) << c.name;
    EXPECT_TRUE(host.wait_for_log("not trying again"));
    EXPECT_EQ(host.end(), c.end);
    const auto status = slave.status();
    EXPECT_EQ(status.at("client").at("state").as_string(), "suspend");
    EXPECT_EQ(status.at("client").at("last_reason").as_string(), "segment_size");
    EXPECT_EQ(status.at("warnings").as_array().size(), 1u);
  }
}

TEST(FollowFaults, FramesOfImpossibleSizeAreRefusedBeforeTheirBody) {
  for (const std::int32_t size : {-1, -12, INT32_MIN, (4 << 20) - 11, INT32_MAX}) {
    Listener listener;
    MemoryHost host;
    Instance slave(host);
    Peer master = slave.follow(listener, 0);
    ASSERT_TRUE(master.send_frame(0, size));
    EXPECT_TRUE(master.wait_closed()) << size;
    EXPECT_TRUE(host.wait_for_log("frame_size"));
    EXPECT_TRUE(host.wait_for_log(std::to_string(size) + " bytes"));
    EXPECT_EQ(host.appends(), 0);
  }
}

struct HostFault {
  std::int32_t status;
  int os_errno;
  std::int32_t reason;
  std::int32_t state;
};

class HostFaults : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Append, HostFaults, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_P(HostFaults, WhatTheHostRefusesEndsWithItsReason) {
  const HostFault faults[] = {
      {HA_CONFLICT, 0, HA_REASON_SEGMENT_SIZE, HA_STATE_SUSPEND},
      {HA_CORRUPT, 0, HA_REASON_CORRUPT, HA_STATE_SUSPEND},
      {HA_RANGE, 0, HA_REASON_OFFSET_MISMATCH, HA_STATE_SUSPEND},
      {HA_IO, ENOSPC, HA_REASON_HOST_ERROR, HA_STATE_READY},
      {-999, 0, HA_REASON_HOST_ERROR, HA_STATE_READY},
  };
  for (const HostFault& fault : faults) {
    Listener listener;
    HostFeatures features;
    features.append_reserve = GetParam();
    MemoryHost host(features);
    host.fail_append(fault.status, fault.os_errno);
    Instance slave(host, {{"reconnect_max_ms", "3600000"}});
    Peer master = slave.follow(listener, 0);
    ASSERT_TRUE(master.send_log(0, 100));
    EXPECT_TRUE(master.wait_closed());
    EXPECT_TRUE(Instance::eventually([&] {
      return slave.snapshot().total.client_reason == fault.reason;
    })) << "status "
        << fault.status;
    EXPECT_TRUE(host.wait_for_log("the test said so"));
    if (fault.os_errno == ENOSPC) {
      EXPECT_TRUE(host.wait_for_log("No space left"));
    }
    EXPECT_TRUE(Instance::eventually([&] { return client_state(slave) == fault.state; }));
    EXPECT_EQ(host.end(), 0);
    EXPECT_EQ(host.lent(), 0);
  }
}

TEST_P(HostFaults, AFullDiskIsTriedAgainUntilThereIsRoom) {
  Listener listener;
  HostFeatures features;
  features.append_reserve = GetParam();
  MemoryHost host(features);
  host.fail_append(HA_IO, ENOSPC);
  Instance slave(host, {{"reconnect_max_ms", "60"}});
  slave.start_slave(listener.address());
  for (int i = 0; i < 3; ++i) {
    Peer master = listener.accept();
    ASSERT_EQ(master.read_report(), 0);
    ASSERT_TRUE(master.send_log(0, 100));
    EXPECT_TRUE(master.wait_closed());
  }
  host.fail_append(HA_OK);
  Peer master = listener.accept();
  ASSERT_EQ(master.read_report(), 0);
  ASSERT_TRUE(master.send_log(0, 100));
  EXPECT_EQ(master.read_report(), 100);
}

// A slave whose disk is full gets a header each time: that is no sign that things go well, so the
// pauses must grow. Five of them last 25 + 50 + 100 + 200 + 400 ms at least; the first one five
// times would be 250 ms at most. Only the lower bound is looked at, which no slow machine breaks.
TEST(FollowFaults, AFullDiskIsNotTriedAgainEverFaster) {
  Listener listener;
  MemoryHost host;
  host.fail_append(HA_IO, ENOSPC);
  Instance slave(host);
  slave.start_slave(listener.address());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) {
    Peer master = listener.accept();
    ASSERT_EQ(master.read_report(), 0);
    ASSERT_TRUE(master.send_log(0, 100));
    EXPECT_TRUE(master.wait_closed());
  }
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

TEST(Following, ReportsWhenIdle) {
  Listener listener;
  MemoryHost host;
  host.grow(100);
  Instance slave(host, {kTrusting, {"heartbeat_ms", "20"}, {"housekeeping_ms", "60000"}});
  slave.start_slave(listener.address());
  Peer master = listener.accept();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(master.read_report(), 100);
}

TEST(Following, LeavesAMasterThatFallsSilent) {
  Listener listener;
  MemoryHost host;
  Instance slave(host, {{"heartbeat_ms", "20"}, {"housekeeping_ms", "100"}});
  slave.start_slave(listener.address());
  Peer master = listener.accept();
  EXPECT_TRUE(master.wait_closed());
  EXPECT_TRUE(host.wait_for_log("housekeeping"));
  Peer again = listener.accept();
  EXPECT_EQ(again.read_report(), 0);
}

TEST(Following, ComesBackToAMasterThatWasNotThere) {
  std::string address;
  {
    Listener gone;
    address = gone.address();
  }
  MemoryHost copy;
  Instance slave(copy, {{"reconnect_max_ms", "60"}});
  slave.start_slave(address);
  EXPECT_TRUE(copy.wait_for_log("cannot connect", 2));
  MemoryHost host;
  host.grow(100);
  Instance master(host, {{"listen", address}});
  master.start_master();
  EXPECT_TRUE(copy.wait_for_end(100));
}

// HAClientTest: null first, then the last address counts.
TEST(Following, TheMastersAddressCanChangeAndBeTakenAway) {
  Listener first;
  Listener second;
  MemoryHost host;
  Instance slave(host);
  slave.start_slave("");
  EXPECT_STREQ(slave.snapshot().total.master_address, "");
  EXPECT_EQ(client_state(slave), HA_STATE_READY);
  ASSERT_EQ(slave.set_master_address(nullptr), HA_OK);
  ASSERT_EQ(slave.set_master_address(first.address().c_str()), HA_OK);
  EXPECT_EQ(slave.snapshot().total.master_address, first.address());
  Peer one = first.accept();
  EXPECT_EQ(one.read_report(), 0);

  ASSERT_EQ(slave.set_master_address(second.address().c_str()), HA_OK);
  Peer two = second.accept();
  EXPECT_EQ(two.read_report(), 0);
  EXPECT_TRUE(one.wait_closed());

  ASSERT_EQ(slave.set_master_address(nullptr), HA_OK);
  EXPECT_TRUE(two.wait_closed());
  EXPECT_STREQ(slave.snapshot().total.master_address, "");
  EXPECT_EQ(client_state(slave), HA_STATE_READY);
  EXPECT_EQ(slave.set_master_address("nonsense"), HA_INVALID);
  EXPECT_NE(std::string(slave.error().text).find("'nonsense'"), std::string::npos);
  EXPECT_EQ(slave.set_master_address("127.0.0.1:0"), HA_INVALID);
}

TEST(Following, AMastersNameIsLookedUp) {
  Listener listener;
  MemoryHost host;
  Instance slave(host);
  slave.start_slave("localhost:" + std::to_string(listener.port()));
  EXPECT_EQ(listener.accept().read_report(), 0);
}

// What a slave has goes on to slaves of its own without a notify from anybody.
TEST(Following, PassesOnWhatItGets) {
  Listener listener;
  MemoryHost host;
  Instance middle(host);
  Peer master = middle.follow(listener, 0);
  Peer below = Peer::to(middle.port());
  ASSERT_TRUE(below.report(0));
  ASSERT_EQ(below.frame().size, 0);
  ASSERT_TRUE(master.send_log(0, 500));
  EXPECT_EQ(below.follow_to(0, 500), "");
}

TEST(Following, SaysWhenAMasterKeepsClosingBeforeItSendsAnything) {
  Listener listener;
  MemoryHost host;
  host.grow(77);
  Instance slave(host, {kTrusting, {"reconnect_max_ms", "50"}});
  slave.start_slave(listener.address());
  for (int i = 0; i < 3; ++i) {
    Peer master = listener.accept();
    EXPECT_EQ(master.read_report(), 77);
  }
  EXPECT_TRUE(host.wait_for_log("this log ends at 77"));
}

}  // namespace
}  // namespace ha::testing
