// SPDX-License-Identifier: Apache-2.0
// Who may connect, who counts as whom, and what many connections cost.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

std::int64_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

TEST(Accept, ReportsThePortThatTheSystemGave) {
  MemoryHost host;
  Instance master(host);
  EXPECT_EQ(master.port(), 0);
  master.start_master();
  EXPECT_GT(master.port(), 0);
  EXPECT_EQ(master.snapshot().total.listen_address, "127.0.0.1:" + std::to_string(master.port()));
}

TEST(Accept, TakesIpv4OnAnIpv6Socket) {
  MemoryHost host;
  Instance master(host, {{"listen", "[::]:0"}, {"allow", "127.0.0.0/8"}});
  if (master.start(HA_ROLE_MASTER) == HA_IO) GTEST_SKIP() << master.error().text;
  ASSERT_TRUE(host.wait_for_role(HA_ROLE_MASTER));
  Peer peer = master.join(0);
  EXPECT_EQ(host.replicas()[0].address, peer.local_address());
  EXPECT_EQ(host.replicas()[0].id, "127.0.0.1#1");
}

TEST(Accept, AnInterfaceThatIsNotThereIsNamed) {
  for (const char* option : {"listen", "metrics_listen"}) {
    MemoryHost host;
    Instance master(host, {{option, "[fe80::1%nosuch0]:0"}});
    EXPECT_EQ(master.start(HA_ROLE_MASTER), HA_IO) << option;
    const std::string text = master.error().text;
    EXPECT_NE(text.find(option), std::string::npos) << text;
    EXPECT_NE(text.find("no network interface 'nosuch0'"), std::string::npos) << text;
  }
}

TEST(Accept, OneConnectionMoreThanTheLimitIsTurnedAway) {
  MemoryHost host;
  Instance master(host, {{"max_connections", "2"}});
  master.start_master();
  Peer first = Peer::to(master.port());
  Peer second = Peer::to(master.port());
  ASSERT_TRUE(first.report(0));
  ASSERT_TRUE(second.report(0));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  Peer third = Peer::to(master.port());
  EXPECT_TRUE(third.wait_closed());
  EXPECT_TRUE(host.wait_for_log("max_connections"));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_CONNECTION_LIMIT));
  first.leave();
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  Peer fourth = Peer::to(master.port());
  ASSERT_TRUE(fourth.report(0));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 3));
}

TEST(Accept, SilentConnectionsMakeRoomTheOldestFirst) {
  MemoryHost host;
  Instance master(host, {{"max_connections", "2"}});
  master.start_master();
  Peer slave = master.join(0);
  Peer first = Peer::to(master.port());
  Peer second = Peer::to(master.port());
  EXPECT_TRUE(first.wait_closed());
  ASSERT_TRUE(second.report(0));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  EXPECT_TRUE(host.wait_for_log("had not said who it is"));
}

// On RocketMQ's wire 8 bytes make a replica, which is never evicted. One address must not fill all
// connections with them.
TEST(Accept, OneAddressHoldsItsShareOfConnections) {
  MemoryHost host;
  Instance master(host, {{"connections_per_address", "2"}});
  master.start_master();
  Peer first = master.join(0);
  Peer second = Peer::to(master.port());
  Peer third = Peer::to(master.port());
  EXPECT_TRUE(third.wait_closed());
  EXPECT_TRUE(host.wait_for_log("option 'connections_per_address': 2 of 127.0.0.1 are open"));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_CONNECTION_LIMIT));
  ASSERT_EQ(master.set_option("connections_per_address", "0"), HA_OK);
  Peer fourth = Peer::to(master.port());
  ASSERT_TRUE(fourth.report(0));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
}

TEST(Accept, TheAllowListIsObeyedAndCanChange) {
  MemoryHost host;
  Instance master(host, {{"allow", "10.0.0.0/8,fd00::/8"}});
  master.start_master();
  Peer stranger = Peer::to(master.port());
  EXPECT_TRUE(stranger.wait_closed());
  EXPECT_TRUE(host.wait_for_log("not on the allow list"));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_NOT_ALLOWED));
  EXPECT_EQ(host.replicas()[0].state, HA_STATE_SHUTDOWN);
  EXPECT_EQ(host.replicas()[0].address, stranger.local_address());
  ASSERT_EQ(master.set_option("allow", "127.0.0.1"), HA_OK);
  Peer friendly = Peer::to(master.port());
  ASSERT_TRUE(friendly.report(0));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
}

// The list is asked when a connection is made, and only then.
TEST(Accept, WhoIsConnectedStaysWhenItsAddressLeavesTheAllowList) {
  MemoryHost host;
  host.grow(100);
  Instance master(host, {{"in_sync_replicas", "2"}});
  master.start_master();
  Peer slave = master.join(100);
  ASSERT_EQ(master.set_option("allow", "10.0.0.0/8"), HA_OK);
  Peer late = Peer::to(master.port());
  EXPECT_TRUE(late.wait_closed());
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_NOT_ALLOWED));
  // It is served, and counts.
  const std::int64_t end = host.grow(100);
  master.notify(end);
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, 600'000), HA_OK);
  ASSERT_EQ(slave.follow_to(100, end), "");
  EXPECT_EQ(waits.first_status(), HA_OK);
  EXPECT_TRUE(master.only_connection_is(slave.local_address()));
  // Once it has gone it does not come back.
  slave.leave();
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  Peer again = Peer::to(master.port());
  EXPECT_TRUE(again.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_NOT_ALLOWED, 2));
}

TEST(Accept, ANodeWithoutARoleClosesAtOnce) {
  MemoryHost host;
  Instance node(host);
  ASSERT_EQ(node.start(HA_ROLE_NONE), HA_OK);
  ASSERT_TRUE(host.wait_for_role(HA_ROLE_NONE));
  Peer peer = Peer::to(node.port());
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_NOT_SERVING));
}

TEST(Accept, ASlaveServesSlavesOfItsOwn) {
  Listener no_master;
  MemoryHost host;
  host.grow(1000);
  Instance slave(host);
  slave.start_slave(no_master.address());
  Peer peer = Peer::to(slave.port());
  ASSERT_TRUE(peer.report(400));
  EXPECT_EQ(peer.follow_to(400, 1000), "");
}

// From loopback, where one machine plays several, each connection is a replica.
TEST(Accept, TwoConnectionsFromLoopbackAreTwoCopies) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  Peer a = master.join(100);
  Peer b = master.join(100, 2);
  EXPECT_TRUE(Instance::eventually([&] { return master.snapshot().total.in_sync_count == 3; }));
  EXPECT_EQ(master.snapshot().total.replica_count, 2);
  WaitLog waits;
  EXPECT_EQ(waits.wait(master, 100, 3, 60'000), HA_DONE);
}

TEST(Accept, TwoConnectionsFromOneAddressAreOneCopyByOption) {
  MemoryHost host;
  host.grow(100);
  Instance master(host, {{"rocketmq_replica_identity", "address"}});
  master.start_master();
  Peer a = master.join(100);
  Peer b = master.join(100, 2);
  EXPECT_TRUE(Instance::eventually([&] { return master.snapshot().total.in_sync_count == 2; }));
  EXPECT_EQ(master.snapshot().total.replica_count, 1);
  EXPECT_STREQ(master.snapshot().replicas.at(0).id, "127.0.0.1");
  WaitLog waits;
  EXPECT_EQ(waits.wait(master, 100, 2, 60'000), HA_DONE);
  ASSERT_EQ(waits.wait(master, 100, 3, 100), HA_OK);
  EXPECT_EQ(waits.first_status(), HA_FLUSH_SLAVE_TIMEOUT);
  // The other connection goes on counting when one leaves.
  a.leave();
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  EXPECT_EQ(waits.wait(master, 100, 2, 60'000), HA_DONE);
  b.leave();
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED, 2));
  EXPECT_EQ(waits.wait(master, 100, 2, 60'000), HA_SLAVE_NOT_AVAILABLE);
}

TEST(Accept, AFreedNumberIsTakenUpAgain) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  Peer a = master.join(0);
  a.leave();
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  Peer b = master.join(0, 2);
  EXPECT_EQ(host.replicas().back().id.substr(0, 11), "127.0.0.1#1");
  EXPECT_EQ(master.sample("ha_replica_reconnects_total{id=\"127.0.0.1#1\"}"), 1);
}

// RocketMQ spends three threads on each.
TEST(Accept, ManySlavesNeedAsManyThreadsAsOne) {
  MemoryHost host;
  host.grow(20'000);
  Instance master(host, {{"bootstrap", "earliest"}, {"connections_per_address", "0"}});
  master.start_master();
  const std::int64_t threads = threads_of_this_process();
  constexpr std::size_t kSlaves = 64;
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < kSlaves; ++i) {
    peers.push_back(Peer::to(master.port()));
    ASSERT_TRUE(peers.back().report(0));
  }
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, kSlaves));
  WaitLog waits;
  const std::int64_t end = host.grow(10'000);
  ASSERT_EQ(waits.wait(master, end, kSlaves + 1, 600'000), HA_OK);
  master.notify(end);
  for (Peer& peer : peers) ASSERT_EQ(peer.follow_to(0, end), "");
  EXPECT_EQ(waits.first_status(), HA_OK);
  EXPECT_EQ(threads_of_this_process(), threads);
  EXPECT_EQ(master.snapshot().total.replica_count, static_cast<std::int64_t>(kSlaves));
  EXPECT_EQ(master.snapshot().total.in_sync_count, static_cast<std::int32_t>(kSlaves) + 1);
}

TEST(Accept, APortInUseIsIoWithTheSystemsWords) {
  MemoryHost host;
  Listener taken;
  Instance master(host, {{"listen", taken.address()}});
  EXPECT_EQ(master.start(HA_ROLE_MASTER), HA_IO);
  EXPECT_EQ(master.error().status, HA_IO);
  EXPECT_EQ(master.error().os_errno, EADDRINUSE);
  const std::string text = master.error().text;
  EXPECT_NE(text.find(taken.address()), std::string::npos) << text;
  EXPECT_NE(text.find("in use"), std::string::npos) << text;
  EXPECT_NE(text.find("choose a free port"), std::string::npos) << text;
  EXPECT_EQ(master.stop(0), HA_OK);
}

}  // namespace
}  // namespace ha::testing
