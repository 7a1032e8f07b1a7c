// SPDX-License-Identifier: Apache-2.0
// The native protocol, the master's side: who may come in, and what an ack is worth.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"
#include "tests/unit/state_dir.h"

namespace ha::testing {
namespace {

using core::Decision;
using core::Offset;
using core::Reason;

constexpr std::int64_t kLongMs = 600'000;

class NativeAcks : public ::testing::Test {
 protected:
  NativeAcks() : master_(host_, {{"bootstrap", "earliest"}}) {
    master_.start_master();
    host_.grow(100);
    slave_.emplace(master_.port());
    EXPECT_EQ(slave_->join("b", 0)->decision, Decision::kResume);
    EXPECT_EQ(slave_->follow_to(0, 100), "");
    EXPECT_EQ(waits_.wait(master_, 200, 2, kLongMs), HA_OK);
    EXPECT_EQ(waits_.wait(master_, 100, 2, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  }
  void expect_refused(std::int32_t reason) {
    EXPECT_TRUE(slave_->peer().wait_closed());
    EXPECT_TRUE(host_.wait_for_replica(HA_REPLICA_LEFT, reason));
    EXPECT_TRUE(waits_.ended().empty());
    master_.stop();
  }

  MemoryHost host_;
  Instance master_;
  std::optional<NativeSlave> slave_;
  WaitLog waits_;
};

TEST(Native, DurableIsUnsupportedWhileOnlyRocketmqSlavesAreThere) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  EXPECT_EQ(master.check_acks(2, HA_DURABILITY_DURABLE), HA_SLAVE_NOT_AVAILABLE);
  Peer slave = master.join(0);
  EXPECT_EQ(master.check_acks(2, HA_DURABILITY_DURABLE), HA_UNSUPPORTED);
  EXPECT_EQ(master.check_acks(1, HA_DURABILITY_DURABLE), HA_OK);
  EXPECT_EQ(master.sample("ha_replica_durable_offset_bytes{id=\"127.0.0.1#1\"}"), -1);
}

// Each HELLO may cost a mebibyte of reading and hashing.
TEST(Native, WhoSaysHelloAllTheTimeIsRefused) {
  MemoryHost host;
  Instance master(host, native({{"max_connections", "256"}, {"connections_per_address", "0"}}));
  master.start_master();
  const auto opening = wire::native::opening();
  std::vector<Peer> peers;
  for (int i = 0; i < 200; ++i) {
    peers.push_back(Peer::to(master.port()));
    const auto hello = wire::native::encode_hello(hello_of("b" + std::to_string(i), 0, 0));
    ASSERT_TRUE(peers.back().send(opening));
    ASSERT_TRUE(peers.back().send(hello));
  }
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_CONNECTION_LIMIT));
  EXPECT_TRUE(host.wait_for_log("127.0.0.1 asks more than 50 times a second"));
  EXPECT_EQ(host.replicas().front().event, HA_REPLICA_JOINED);
}

TEST(Native, AStrangerIsToldWhyAndClosed) {
  MemoryHost host;
  StateDir state;
  Instance master(host, native({{"replica_id", "a"},
                                {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2"},
                                {"state_dir", state.path()},
                                {"cluster_id", "prod"}}));
  master.start_forced_master();
  NativeSlave other_cluster(master.port());
  const auto first = other_cluster.join("b", 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->reason, Reason::kCluster);
  EXPECT_TRUE(other_cluster.peer().wait_closed());
  NativeSlave stranger(master.port());
  ASSERT_TRUE(stranger.open());
  core::Hello hello = hello_of("c", 0, 0);
  hello.cluster = "prod";
  const auto second = stranger.say(hello);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->reason, Reason::kUnknownReplica);
  EXPECT_TRUE(stranger.peer().wait_closed());
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_UNKNOWN_REPLICA));
  EXPECT_EQ(master.snapshot().total.replica_count, 0);
}

TEST(Native, ARocketmqSlaveIsNotAMemberOfAConfiguredSet) {
  MemoryHost host;
  StateDir state;
  Instance master(host, native({{"replica_id", "a"},
                                {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2,c@127.0.0.1:3"},
                                {"state_dir", state.path()}}));
  master.start_forced_master();
  Peer rocketmq = Peer::to(master.port());
  ASSERT_TRUE(rocketmq.report(0));
  EXPECT_TRUE(rocketmq.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_UNKNOWN_REPLICA));
}

// "All in sync" needs every replica's word, and a RocketMQ slave has none to give.
TEST(Native, DurableOnAllInSyncIsRefusedWhereOneCannotTell) {
  MemoryHost host;
  host.grow(100);
  host.set_durable(100);
  Instance master(host);
  master.start_master();
  NativeSlave tells(master.port());
  ASSERT_EQ(tells.join("b", 100)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, 100, HA_ACKS_ALL_IN_SYNC, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  ASSERT_TRUE(tells.ack(100, 99));
  ASSERT_TRUE(tells.ack(100, 100));
  EXPECT_EQ(waits.first_status(), HA_OK);
  Peer cannot = master.join(100, 2);
  EXPECT_EQ(waits.wait(master, 100, HA_ACKS_ALL_IN_SYNC, kLongMs, HA_DURABILITY_DURABLE),
            HA_UNSUPPORTED);
  EXPECT_EQ(master.check_acks(2, HA_DURABILITY_DURABLE), HA_OK);
}

TEST(Native, OneNameHasOneVoteAndTheNewestConnectionHasIt) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  NativeSlave first(master.port());
  ASSERT_EQ(first.join("b", 100, 5)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  NativeSlave second(master.port());
  ASSERT_EQ(second.join("b", 0, 6)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REPLACED));
  EXPECT_TRUE(first.peer().wait_closed());
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  // What the older one held counts no longer.
  WaitLog waits;
  EXPECT_EQ(waits.wait(master, 100, 2, kLongMs), HA_OK);
  EXPECT_EQ(master.snapshot().total.replica_count, 1);
  // A process that was started earlier and has only now come through.
  NativeSlave late(master.port());
  EXPECT_EQ(late.join("b", 100, 5)->reason, Reason::kReplaced);
  EXPECT_TRUE(waits.ended().empty());
  ASSERT_EQ(second.follow_to(0, 0), "");
  ASSERT_TRUE(second.ack(0, 0));
  master.stop();
}

TEST(Native, AcceptSaysWhichWiresMayComeIn) {
  MemoryHost host;
  Instance master(host, {{"accept", "native"}});
  master.start_master();
  Peer rocketmq = Peer::to(master.port());
  ASSERT_TRUE(rocketmq.report(0));
  EXPECT_TRUE(rocketmq.wait_closed());
  EXPECT_TRUE(host.wait_for_log("speaks the RocketMQ wire (option 'accept': 'native')"));
  ASSERT_EQ(master.set_option("accept", "rocketmq"), HA_OK);
  // As a RocketMQ broker, which has heard no report yet.
  Peer native_slave = Peer::to(master.port());
  ASSERT_TRUE(native_slave.send(wire::native::opening()));
  ASSERT_TRUE(native_slave.report(0));
  EXPECT_EQ(native_slave.frame().size, 0);
  Peer tls = Peer::to(master.port());
  ASSERT_TRUE(tls.send_text(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  EXPECT_TRUE(tls.wait_closed());
  EXPECT_TRUE(host.wait_for_log("speaks TLS"));
}

TEST_F(NativeAcks, MoreThanWasSentCompletesNoWait) {
  ASSERT_TRUE(slave_->ack(200, 0));
  expect_refused(HA_REASON_REPORT_AHEAD);
}

TEST_F(NativeAcks, MoreDurableThanReceivedCompletesNoWait) {
  host_.set_durable(100);
  ASSERT_TRUE(slave_->ack(99, 100));
  expect_refused(HA_REASON_REPORT_AHEAD);
}

TEST_F(NativeAcks, LessThanBeforeIsRefused) {
  ASSERT_TRUE(slave_->ack(50, 10));
  ASSERT_TRUE(
      Instance::eventually([&] { return master_.snapshot().replicas[0].ack_offset == 50; }));
  ASSERT_TRUE(slave_->ack(50, 9));
  expect_refused(HA_REASON_REPORT_BACKWARD);
}

TEST_F(NativeAcks, OfAnotherEpochIsRefused) {
  ASSERT_TRUE(slave_->ack(100, 100, 1));
  expect_refused(HA_REASON_EPOCH);
}

TEST_F(NativeAcks, AChangedAckIsRefused) {
  auto bytes = wire::native::encode_ack({Offset(100), Offset(100), 0});
  bytes.back() ^= std::byte{1};
  ASSERT_TRUE(slave_->peer().send(bytes));
  expect_refused(HA_REASON_CHECKSUM);
}

TEST(Native, ASilentSlaveIsGone) {
  MemoryHost host;
  Instance master(host, {{"native_heartbeat_ms", "10"},
                         {"native_housekeeping_ms", "50"},
                         {"housekeeping_ms", "3600000"}});
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.join("b", 0));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(slave.frame().size, 0);
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_HOUSEKEEPING));
}

TEST(Native, WhoOpensAndSaysNoHelloIsGone) {
  MemoryHost host;
  Instance master(host, {{"native_heartbeat_ms", "10"},
                         {"native_housekeeping_ms", "50"},
                         {"first_report_timeout_ms", "3600000"}});
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.open());
  EXPECT_TRUE(slave.peer().wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_FIRST_REPORT_TIMEOUT));
}

// What a slave says of its log in the handshake is no ack.
TEST(Native, AReplicaCountsFromItsFirstAck) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_EQ(slave.join("b", 100)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, 100, 2, kLongMs), HA_OK);
  ASSERT_EQ(slave.frame().size, 0);
  EXPECT_TRUE(waits.ended().empty());
  ASSERT_TRUE(slave.ack(100, 0));
  EXPECT_EQ(waits.first_status(), HA_OK);
}

// What is durable is a copy only while its connection is open.
TEST_F(NativeAcks, ADurableCopyThatLeftDoesNotCount) {
  host_.set_durable(0);
  ASSERT_TRUE(slave_->ack(100, 100));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master_.sample("ha_replica_durable_offset_bytes{id=\"b\"}") == 100; }));
  slave_->peer().close();
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  host_.set_durable(100);
  master_.notify_durable(100);
  NativeSlave other(master_.port());
  ASSERT_EQ(other.join("c", 100)->decision, Decision::kResume);
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  ASSERT_TRUE(other.ack(100, 99));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master_.sample("ha_replica_durable_offset_bytes{id=\"c\"}") == 99; }));
  EXPECT_TRUE(waits_.ended().empty());
  ASSERT_TRUE(other.ack(100, 100));
  ASSERT_TRUE(waits_.wait_for(1));
  EXPECT_EQ(waits_.ended()[0].end, 100);
  master_.stop();
}

}  // namespace
}  // namespace ha::testing
