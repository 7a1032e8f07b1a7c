// SPDX-License-Identifier: Apache-2.0
// The in-sync set by time: who stands still leaves it, with a reason, and holds nobody up.
#include <gtest/gtest.h>

#include "ha/plugin.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

TEST(InSync, WhoStandsStillLeavesAndAWaitForAllGoesOnWithoutIt) {
  MemoryHost host;
  host.grow(100);
  Instance master(host, {{"in_sync_max_lag_ms", "1"}, {"in_sync_hold_ms", "3600000"}});
  WaitLog waits;
  master.start_master();
  Peer slow = master.join(100);
  ASSERT_TRUE(Instance::eventually([&] { return master.snapshot().total.in_sync_count == 2; }));

  const std::int64_t end = host.grow(100);
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_ALL_IN_SYNC, 600'000), HA_OK);
  master.notify(end);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_OUT_OF_SYNC, HA_REASON_LAG_TIME));
  EXPECT_EQ(waits.first_status(), HA_OK);
  EXPECT_EQ(master.snapshot().total.in_sync_count, 1);
  EXPECT_EQ(master.snapshot().total.replica_count, 1);
  EXPECT_EQ(master.sample("ha_replica_in_sync_exits_total{id=\"127.0.0.1#1\",reason=\"lag_time\"}"),
            1);

  // It catches up, but has to hold that for an hour; with another hold time, on the same
  // connection, it is a member again.
  ASSERT_EQ(slow.follow_to(100, end), "");
  ASSERT_TRUE(
      Instance::eventually([&] { return master.snapshot().replicas.at(0).ack_offset == end; }));
  EXPECT_EQ(master.snapshot().total.in_sync_count, 1);
  ASSERT_EQ(master.set_option("in_sync_hold_ms", "0"), HA_OK);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_IN_SYNC, HA_REASON_NONE));
  EXPECT_TRUE(Instance::eventually([&] { return master.snapshot().total.in_sync_count == 2; }));
  EXPECT_EQ(master.sample("ha_replica_reconnects_total{id=\"127.0.0.1#1\"}"), 0);
  master.stop();
}

TEST(InSync, ItsLimitsChangeOnTheConnectionThatIsThere) {
  MemoryHost host;
  host.grow(100);
  Instance master(host, {{"in_sync_max_lag_ms", "0"}, {"in_sync_hold_ms", "0"}});
  master.start_master();
  Peer slave = Peer::to(master.port());
  ASSERT_TRUE(slave.report(100));
  ASSERT_TRUE(Instance::eventually([&] { return master.snapshot().total.in_sync_count == 2; }));
  std::int64_t end = host.grow(100);
  master.notify(end);  // which it leaves unanswered

  ASSERT_EQ(master.set_option("max_gap_not_in_sync_bytes", "100"), HA_OK);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_OUT_OF_SYNC, HA_REASON_LAG_BYTES));
  ASSERT_EQ(slave.follow_to(100, end), "");
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_IN_SYNC, HA_REASON_NONE));

  ASSERT_EQ(master.set_option("max_gap_not_in_sync_bytes", "1000000"), HA_OK);
  end = host.grow(100);
  master.notify(end);
  ASSERT_EQ(master.set_option("in_sync_max_lag_ms", "1"), HA_OK);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_OUT_OF_SYNC, HA_REASON_LAG_TIME));
  ASSERT_EQ(slave.follow_to(200, end), "");
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_IN_SYNC, HA_REASON_NONE, 2));
  EXPECT_TRUE(master.only_connection_is(slave.local_address()));
}

}  // namespace
}  // namespace ha::testing
