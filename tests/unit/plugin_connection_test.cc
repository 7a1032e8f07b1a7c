// SPDX-License-Identifier: Apache-2.0
// The master's side of a connection, met by a slave that the test plays.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/unit/core/seed.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

constexpr std::int64_t kSegment = 4096;

TEST(Connection, TheMasterIsSilentUntilTheFirstReport) {
  MemoryHost host;
  host.grow(10'000);
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  Peer silent = Peer::to(master.port());
  // Another slave gets everything, also what is appended now; the first must have got nothing.
  Peer other = master.join(0);
  EXPECT_EQ(other.follow_to(0, 10'000), "");
  master.notify(host.grow(5'000));
  EXPECT_EQ(other.follow_to(10'000, 15'000), "");
  EXPECT_FALSE(silent.has_bytes());
  ASSERT_TRUE(silent.report(0));
  EXPECT_EQ(silent.follow_to(0, 15'000), "");
}

TEST(Connection, HalfAReportIsNotAReport) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  Peer half = Peer::to(master.port());
  const std::vector<std::byte> zero(8);
  ASSERT_TRUE(half.send(std::span(zero).first(7)));
  Peer other = master.join(100);
  EXPECT_EQ(other.frame().offset, 100);
  EXPECT_FALSE(half.has_bytes());
  EXPECT_EQ(host.replicas().size(), 2u);  // the other's JOINED and CAUGHT_UP
  ASSERT_TRUE(half.send(std::span(zero).first(1)));
  EXPECT_EQ(half.follow_to(0, 100), "");
}

struct StartCase {
  std::int64_t min;
  std::int64_t end;
  const char* bootstrap;
  std::int64_t request;
  std::int64_t start;
};

TEST(Connection, StartOffsets) {
  const StartCase cases[] = {
      {0, 3 * kSegment + 100, "latest_segment", 0, 3 * kSegment},
      {0, 3 * kSegment, "latest_segment", 0, 3 * kSegment},  // the end is on a boundary
      {0, 100, "latest_segment", 0, 0},
      {0, 3 * kSegment + 100, "earliest", 0, 0},
      {kSegment, 3 * kSegment + 100, "earliest", 0, kSegment},
      {kSegment, 3 * kSegment + 100, "earliest", kSegment, kSegment},
      {0, 3 * kSegment + 100, "latest_segment", 1, 1},
      {0, 3 * kSegment + 100, "latest_segment", kSegment + 77, kSegment + 77},
      {0, 3 * kSegment + 100, "latest_segment", 3 * kSegment + 100, 3 * kSegment + 100},
  };
  for (const StartCase& c : cases) {
    MemoryHost host;
    host.grow(c.end);
    host.drop_below(c.min);
    Instance master(host, {{"bootstrap", c.bootstrap}});
    master.start_master();
    Peer peer = master.join(c.request);
    const FrameSeen first = peer.frame();
    EXPECT_EQ(first.offset, c.start) << "request " << c.request << ", " << c.bootstrap;
    EXPECT_EQ(master.snapshot().replicas.at(0).start_offset, c.start);
  }
}

TEST(Connection, RequestsOutsideTheLogAreRefused) {
  MemoryHost host;
  host.grow(3 * kSegment);
  host.drop_below(kSegment);
  Instance master(host);
  master.start_master();
  std::size_t above = 0;
  for (const std::int64_t request : {3 * kSegment + 1, INT64_MAX, std::int64_t{-2}, INT64_MIN}) {
    Peer peer = Peer::to(master.port());
    ASSERT_TRUE(peer.report(request));
    EXPECT_TRUE(peer.wait_closed()) << request;
    EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_REQUEST_ABOVE_END, ++above));
  }
  Peer peer = Peer::to(master.port());
  ASSERT_TRUE(peer.report(kSegment - 1));
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_REQUEST_BELOW_MIN));
  EXPECT_EQ(host.replicas().back().state, HA_STATE_SHUTDOWN);
  EXPECT_EQ(host.replicas().back().ack_offset, -1);
  EXPECT_EQ(master.snapshot().total.replica_count, 0);
}

// The three ways in which a body can reach the socket.
class Sources : public ::testing::TestWithParam<const char*> {
 protected:
  static HostFeatures features() {
    HostFeatures f;
    f.pin = std::string(GetParam()) == "pin";
    f.segment_fd = std::string(GetParam()) == "segment-fd";
    return f;
  }
};
INSTANTIATE_TEST_SUITE_P(Connection, Sources, ::testing::Values("pin", "segment-fd", "read"),
                         [](const auto& chosen) {
                           std::string name = chosen.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(Sources, FramesAreTheLogsBytesAndNeverCrossASegment) {
  MemoryHost host(features());
  constexpr std::int64_t kEnd = 40 * kSegment + 333;
  host.grow(kEnd);
  Instance master(host, {{"bootstrap", "earliest"}, {"transfer_batch_bytes", "1500"}});
  master.start_master();
  Peer peer = master.join(0);
  std::int64_t at = 0;
  while (at < kEnd) {
    const FrameSeen seen = peer.frame();
    ASSERT_EQ(seen.offset, at);
    ASSERT_GT(seen.size, 0);
    ASSERT_LE(seen.size, 1500);
    ASSERT_EQ(seen.offset / kSegment, (seen.offset + seen.size - 1) / kSegment);
    ASSERT_EQ(seen.body, bytes_at(at, seen.size));
    at += seen.size;
  }
  EXPECT_EQ(host.loans() > 0, std::string(GetParam()) != "read");
}

TEST_P(Sources, ASlowReaderGetsTheSameBytes) {
  HostFeatures f = features();
  f.segment_size = 1 << 20;
  MemoryHost host(f);
  constexpr std::int64_t kEnd = (6 << 20) + 77;
  host.grow(kEnd);
  Instance master(host, {{"bootstrap", "earliest"}, {"transfer_batch_bytes", "1000000"}});
  master.start_master();
  Peer peer = Peer::to(master.port(), 1);  // the least buffer: the master's writes are cut anywhere
  ASSERT_TRUE(peer.report(0));
  std::mt19937_64 random(announced_seed());
  std::int64_t at = 0;
  while (at < kEnd) {
    const FrameSeen seen = peer.frame(1 + random() % 5000);
    ASSERT_EQ(seen.offset, at);
    ASSERT_EQ(seen.body, bytes_at(at, seen.size));
    at += seen.size;
    ASSERT_TRUE(peer.report(at));
  }
}

TEST_P(Sources, AReaderOfOneByteAtATimeGetsTheSameBytes) {
  MemoryHost host(features());
  host.grow(2 * kSegment + 55);
  Instance master(host, {{"bootstrap", "earliest"}, {"transfer_batch_bytes", "1024"}});
  master.start_master();
  Peer peer = Peer::to(master.port(), 1);
  ASSERT_TRUE(peer.report(0));
  std::int64_t at = 0;
  while (at < host.end()) {
    const FrameSeen seen = peer.frame(1);
    ASSERT_EQ(seen.offset, at);
    ASSERT_EQ(seen.body, bytes_at(at, seen.size));
    at += seen.size;
  }
}

// A slave that goes away in the middle of a frame must not keep the host's memory.
TEST_P(Sources, WhatWasLentComesBackWhenTheSlaveLeavesInTheMiddle) {
  HostFeatures f = features();
  f.segment_size = 1 << 20;
  MemoryHost host(f);
  host.grow(8 << 20);
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  {
    Peer peer = Peer::to(master.port(), 1);
    ASSERT_TRUE(peer.report(0));
    ASSERT_EQ(peer.frame().offset, 0);
    peer.reset();
  }
  ASSERT_TRUE(host.wait_for([&] { return true; }));
  EXPECT_TRUE(Instance::eventually([&] { return master.snapshot().total.replica_count == 0; }));
  EXPECT_EQ(host.lent(), 0);
}

TEST_P(Sources, StopReleasesWhatIsLentToASlaveThatDoesNotRead) {
  HostFeatures f = features();
  f.segment_size = 1 << 20;
  MemoryHost host(f);
  host.grow(16 << 20);
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  Peer peer = Peer::to(master.port(), 1);
  ASSERT_TRUE(peer.report(0));
  ASSERT_EQ(peer.frame().offset, 0);
  if (f.pin || f.segment_fd) {
    EXPECT_TRUE(Instance::eventually([&] { return host.lent() > 0; }));
    EXPECT_EQ(host.lent(), 1);
  }
  EXPECT_EQ(master.stop(0), HA_OK);
  EXPECT_EQ(host.lent(), 0);
  EXPECT_EQ(host.threads(), 0);
}

TEST(Connection, WhenTooManyPinsAreOutTheBytesAreRead) {
  MemoryHost host;
  host.grow(3 * kSegment);
  host.fail_pin(HA_AGAIN);
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  Peer peer = master.join(0);
  EXPECT_EQ(peer.follow_to(0, 3 * kSegment), "");
  EXPECT_EQ(host.loans(), 0);
}

// Both ways are open; the one that must not be used would end the connection.
TEST(Connection, SendFromFileLeavesTheHostsMemoryAlone) {
  HostFeatures features;
  features.segment_fd = true;
  MemoryHost host(features);
  host.grow(3 * kSegment);
  host.fail_pin(HA_INTERNAL);
  Instance master(host, {{"bootstrap", "earliest"}, {"send_from", "file"}});
  master.start_master();
  Peer peer = master.join(0);
  EXPECT_EQ(peer.follow_to(0, 3 * kSegment), "");
  EXPECT_GT(host.loans(), 0);
}

TEST(Connection, AHostThatCannotGiveTheBytesEndsTheConnectionWithAReason) {
  MemoryHost host;
  host.grow(3 * kSegment);
  host.fail_pin(HA_IO);
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  Peer peer = master.join(0);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_HOST_ERROR));
  host.fail_pin(HA_RANGE);  // deleted between the look and the pin
  Peer again = master.join(0, 2);
  EXPECT_TRUE(again.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REQUEST_BELOW_MIN));
}

TEST(Connection, HeartbeatsSayWhereTheLogGoesOn) {
  MemoryHost host;
  host.grow(1000);
  Instance master(host, {{"heartbeat_ms", "20"}, {"housekeeping_ms", "60000"}});
  master.start_master();
  Peer peer = master.join(400);
  EXPECT_EQ(peer.follow_to(400, 1000), "");
  for (int i = 0; i < 3; ++i) {
    const FrameSeen heartbeat = peer.frame();
    EXPECT_EQ(heartbeat.offset, 1000);
    EXPECT_EQ(heartbeat.size, 0);
  }
}

TEST(Connection, ASlaveThatFallsSilentIsDropped) {
  MemoryHost host;
  Instance master(host, {{"heartbeat_ms", "20"}, {"housekeeping_ms", "100"}});
  master.start_master();
  Peer peer = master.join(0);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_HOUSEKEEPING));
}

TEST(Connection, ASlaveThatReportsIsKept) {
  MemoryHost host;
  Instance master(host, {{"heartbeat_ms", "10"}, {"housekeeping_ms", "2000"}});
  master.start_master();
  Peer peer = master.join(0);
  // Three times the silence that would end it, measured in the master's own heartbeats.
  for (int i = 0; i < 600; ++i) {
    ASSERT_EQ(peer.frame().size, 0) << i;
    ASSERT_TRUE(peer.report(0));
  }
}

// A report that names what was never sent would wake producers whose bytes nobody holds.
TEST(Connection, AReportAheadClosesAndCompletesNoWait) {
  MemoryHost host;
  host.grow(1000);
  Instance master(host);
  master.start_master();
  WaitLog waits;
  Peer peer = master.join(1000);
  ASSERT_EQ(peer.frame().offset, 1000);
  // 2000 is beyond the log's end: nothing can have been sent there.
  ASSERT_EQ(waits.wait(master, 2000, 2, 3'600'000), HA_OK);
  ASSERT_TRUE(peer.report(2000));
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REPORT_AHEAD));
  EXPECT_TRUE(waits.ended().empty());
  EXPECT_EQ(host.replicas().back().ack_offset, 1000);
  master.stop(0);
  ASSERT_EQ(waits.ended().size(), 1u);
  EXPECT_EQ(waits.ended()[0].status, HA_SHUTDOWN);
}

// Also when a good report comes in the same packet before the bad one.
TEST(Connection, ABadReportBehindAGoodOneStillCloses) {
  MemoryHost host;
  host.grow(1000);
  Instance master(host);
  master.start_master();
  Peer peer = Peer::to(master.port());
  std::vector<std::byte> bytes;
  for (const std::int64_t value : {1000, 999}) {
    for (int i = 7; i >= 0; --i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  ASSERT_TRUE(peer.send(bytes));
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REPORT_BACKWARD));
}

TEST(Connection, AReportThatFallsCloses) {
  MemoryHost host;
  host.grow(1000);
  Instance master(host);
  master.start_master();
  Peer peer = master.join(500);
  EXPECT_EQ(peer.follow_to(500, 1000), "");
  ASSERT_TRUE(peer.report(999));
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REPORT_BACKWARD));
}

// Reports arrive in pieces of any size, counted in eights from the connection's first byte.
TEST(Connection, ReportsMayBeCutAnywhere) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  Peer peer = Peer::to(master.port());
  std::vector<std::byte> zero(8);
  for (const std::byte b : zero) ASSERT_TRUE(peer.send({&b, 1}));
  EXPECT_EQ(peer.follow_to(0, 100, false), "");
  for (std::int64_t value = 1; value <= 100; ++value) {
    std::vector<std::byte> report(8);
    report[7] = static_cast<std::byte>(value);
    const auto cut = static_cast<std::size_t>(value % 9);
    ASSERT_TRUE(peer.send(std::span(report).first(cut)));
    ASSERT_TRUE(peer.send(std::span(report).subspan(cut)));
  }
  EXPECT_TRUE(Instance::eventually([&] {
    const auto replicas = master.snapshot().replicas;
    return replicas.size() == 1 && replicas[0].ack_offset == 100;
  }));
}

TEST(Connection, GarbageIsRefusedAndDoesNoHarm) {
  MemoryHost host;
  host.grow(1000);
  Instance master(host);
  master.start_master();
  Peer good = master.join(1000);
  ASSERT_EQ(good.frame().size, 0);
  for (const std::string& text : {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                                  std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", 10),
                                  std::string("SSH-2.0-OpenSSH_9.2\r\n")}) {
    Peer garbage = Peer::to(master.port());
    ASSERT_TRUE(garbage.send_text(text));
    EXPECT_TRUE(garbage.wait_closed()) << text;
  }
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_REQUEST_ABOVE_END, 2));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_TLS));
  master.notify(host.grow(500));
  EXPECT_EQ(good.follow_to(1000, 1500), "");
}

TEST(Connection, TheRateLimitCountsBodiesAndCanBeLifted) {
  MemoryHost host;
  constexpr std::int64_t kEnd = 1 << 20;
  host.grow(kEnd);
  Instance master(host, {{"bootstrap", "earliest"}, {"max_transfer_bytes_per_s", "1024"}});
  master.start_master();
  Peer peer = master.join(0);
  // A tenth of a second's worth is the most that may stand in one frame.
  const FrameSeen first = peer.frame();
  ASSERT_EQ(first.offset, 0);
  std::int64_t at = first.size;
  for (int i = 0; i < 3; ++i) {
    const FrameSeen seen = peer.frame();
    ASSERT_EQ(seen.offset, at);
    ASSERT_LE(seen.size, 103);
    at += seen.size;
  }
  // At that rate the rest would take a quarter of an hour.
  ASSERT_EQ(master.set_option("max_transfer_bytes_per_s", "0"), HA_OK);
  EXPECT_EQ(peer.follow_to(at, kEnd, false), "");
}

TEST(Connection, TellsTheHostInOrderWhatBecomesOfAReplica) {
  MemoryHost host;
  host.grow(1000);
  Instance master(host);
  master.start_master();
  Peer peer = master.join(400);
  EXPECT_EQ(peer.follow_to(400, 1000), "");
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_CAUGHT_UP, HA_REASON_NONE));
  const std::string address = peer.local_address();
  peer.leave();
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  const std::vector<ReplicaSeen> seen = host.replicas();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].event, HA_REPLICA_JOINED);
  EXPECT_EQ(seen[0].ack_offset, 400);
  EXPECT_EQ(seen[0].state, HA_STATE_TRANSFER);
  EXPECT_EQ(seen[1].event, HA_REPLICA_CAUGHT_UP);
  EXPECT_EQ(seen[1].ack_offset, 1000);
  EXPECT_EQ(seen[2].event, HA_REPLICA_LEFT);
  EXPECT_EQ(seen[2].state, HA_STATE_SHUTDOWN);
  for (const ReplicaSeen& s : seen) {
    EXPECT_EQ(s.id, "127.0.0.1#1");
    EXPECT_EQ(s.address, address);
  }
}

}  // namespace
}  // namespace ha::testing
