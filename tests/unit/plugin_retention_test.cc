// SPDX-License-Identifier: Apache-2.0
// Replicas that are far behind: what is kept for them, how they are paced, who is told when they
// come no nearer.
#include <gtest/gtest.h>

#include <utility>

#include "ha/ext/retention.h"
#include "ha/plugin.h"
#include "ha_plugin/core/catch_up.h"
#include "ha_plugin/core/catch_up_rate.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"
#include "tests/unit/peer.h"
#include "tests/unit/state_dir.h"

namespace ha::testing {
namespace {

TEST(Retention, KeepsWhatAnAttachedReplicaLacksAsFarAsTheBoundGoes) {
  MemoryHost host({.retention = true});
  host.grow(1000);
  Instance master(host, {{"retention_hold_bytes", "500"}});
  master.start_master();
  Peer slave = Peer::to(master.port());
  ASSERT_TRUE(slave.report(900));
  ASSERT_TRUE(host.wait_for_hold(900));
  // It stands still; the log grows beyond the bound.
  master.notify(host.grow(400));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master.sample("ha_replica_seconds_until_lost{id=\"127.0.0.1#1\"}") >= 0; }));
  master.notify(host.grow(400));
  ASSERT_TRUE(host.wait_for_hold(HA_RETENTION_NOTHING));
  EXPECT_EQ(master.sample("ha_replica_seconds_until_lost{id=\"127.0.0.1#1\"}"), 0);
  EXPECT_EQ(host.count_logs("more than are held for it"), 1U);
  // More may be held from now on.
  ASSERT_EQ(master.set_option("retention_hold_bytes", "5000"), HA_OK);
  ASSERT_TRUE(host.wait_for_hold(900));
  // A replica without a name is nobody once it is gone.
  slave.leave();
  EXPECT_TRUE(host.wait_for_hold(HA_RETENTION_NOTHING));
}

TEST(Retention, NodesOfTheSetCountWhileTheyAreGone) {
  MemoryHost host({.retention = true});
  StateDir state;
  const std::int64_t end = host.grow(1000);
  Instance master(host, native({{"retention_hold_bytes", "300"},
                                {"replica_id", "a"},
                                {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2"},
                                {"default_copies", "1"},
                                {"state_dir", state.path()}}));
  master.start_forced_master();
  // Nothing is known of b: it may lack all that may be held.
  ASSERT_TRUE(host.wait_for_hold(end - 300));
  {
    NativeSlave slave(master.port());
    ASSERT_TRUE(slave.join("b", 0));
    ASSERT_EQ(slave.follow_to(0, end), "");
    ASSERT_TRUE(slave.ack(end - 100, 0, 1));
    ASSERT_TRUE(host.wait_for_hold(end - 100));
  }
  ASSERT_TRUE(Instance::eventually([&] { return master.snapshot().total.replica_count == 0; }));
  // Still what b lacked: the last second's growth is within the bound.
  master.notify(host.grow(100));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master.sample("ha_replica_seconds_until_lost{id=\"b\"}") >= 0; }));
  EXPECT_TRUE(host.wait_for_hold(end - 100));
  ASSERT_EQ(master.set_role(HA_ROLE_SLAVE), HA_OK);
  EXPECT_TRUE(host.wait_for_hold(HA_RETENTION_NOTHING));
  EXPECT_EQ(host.count_logs("more than are held for it"), 0U);
}

// The pace changes while it runs, on the connection that is there.
TEST(CatchUp, IsPacedUntilTheOptionSaysOtherwiseAndReportedWhenItStandsStill) {
  constexpr std::int64_t kSegment = std::int64_t{1} << 20;
  MemoryHost host({.segment_size = kSegment});
  const std::int64_t end = host.grow(core::kLiveTailBytes + 2 * kSegment);
  Instance master(
      host,
      {{"bootstrap", "earliest"}, {"catch_up_bytes_per_s", "1024"}, {"catch_up_stall_ms", "1000"}});
  master.start_master();
  Peer slave = Peer::to(master.port());
  ASSERT_TRUE(slave.report(0));
  ASSERT_TRUE(host.wait_for_log("does not catch up"));  // it has acknowledged nothing
  EXPECT_EQ(master.sample("ha_replica_catch_up_stalled{id=\"127.0.0.1#1\"}"), 1);
  EXPECT_LT(master.sample("ha_replica_sent_bytes_total{id=\"127.0.0.1#1\"}"), kSegment);
  ASSERT_EQ(master.set_option("catch_up_bytes_per_s", "0"), HA_OK);
  ASSERT_EQ(slave.follow_to(0, end), "");
  ASSERT_TRUE(host.wait_for_log("catches up again"));
  EXPECT_EQ(master.sample("ha_replica_catch_up_stalled{id=\"127.0.0.1#1\"}"), 0);
  EXPECT_EQ(master.sample("ha_replica_reconnects_total{id=\"127.0.0.1#1\"}"), 0);
}

// Producers wait for one slave while another one catches up.
TEST(CatchUp, IsLimitedWhileProducersWait) {
  MemoryHost host({.segment_size = std::int64_t{1} << 20});
  // More than sockets take.
  const std::int64_t begin = host.grow(core::kLiveTailBytes + (std::int64_t{32} << 20));
  Instance master(host, {{"bootstrap", "earliest"}});
  master.start_master();
  const auto limit = [&] { return master.sample("ha_catch_up_limit_bytes_per_second"); };
  Peer near = master.join(begin);
  Peer far = master.join(0, 2);  // it reads nothing
  std::int64_t end = begin;
  std::size_t waits = 0;
  WaitLog log;
  ASSERT_TRUE(Instance::eventually([&] {
    const std::int64_t from = std::exchange(end, host.grow(100));
    master.notify(end);
    if (log.wait(master, end, 2, 10'000) != HA_OK) return false;
    EXPECT_EQ(near.follow_to(from, end), "");
    EXPECT_TRUE(log.wait_for(++waits));
    return limit() >= core::CatchUpRate::kLeast;
  }));
  ASSERT_EQ(master.set_option("catch_up_bytes_per_s", "1048576"), HA_OK);
  ASSERT_TRUE(Instance::eventually([&] { return limit() == 1048576; }));
  ASSERT_EQ(master.set_option("catch_up_bytes_per_s", "auto"), HA_OK);
  // Nobody waits any more.
  ASSERT_TRUE(Instance::eventually([&] { return limit() == 0; }));
}

}  // namespace
}  // namespace ha::testing
