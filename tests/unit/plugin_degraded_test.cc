// SPDX-License-Identifier: Apache-2.0
// missing_copies = degrade: waits go on without slaves, and what that was is remembered.

#include <gtest/gtest.h>

#include "ha_plugin/state/degraded_keeper.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"
#include "tests/unit/state_dir.h"

namespace ha::testing {
namespace {

using core::Offset;

constexpr std::int64_t kLongMs = 600'000;

class Degrade : public ::testing::Test {
 protected:
  Options options(Options more = {}) const {
    more.insert(more.begin(), {{"missing_copies", "degrade"},
                               {"degrade_after_ms", "50"},
                               {"degraded_hold_ms", "0"},
                               {"in_sync_replicas", "2"},
                               {"state_dir", state_.path()}});
    return native(std::move(more));
  }
  std::vector<core::DegradedRange> kept() const {
    DegradedState kept;
    if (state_.has("ha_degraded.json")) {
      EXPECT_EQ(parse_degraded(state_.read("ha_degraded.json"), kept), "");
    }
    return kept.ranges;
  }

  MemoryHost host_;
  StateDir state_;
};

TEST_F(Degrade, WaitsGoOnWithoutSlavesAndTheRangeIsOnDiskFirst) {
  Instance master(host_, options());
  master.start_master();
  const std::int64_t end = host_.grow(100);
  std::vector<core::DegradedRange> at_first;
  WaitLog waits;
  waits.on_end([&] {
    if (at_first.empty()) at_first = kept();
  });
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  EXPECT_EQ(waits.first_status(), HA_OK);
  ASSERT_EQ(at_first.size(), 1U) << "it was answered before the journal had it";
  EXPECT_EQ(at_first[0].from, Offset(0));
  EXPECT_GE(at_first[0].to, Offset(end));
  EXPECT_EQ(at_first[0].healed_ms, 0);
  // From then on nobody waits.
  ASSERT_EQ(waits.wait(master, host_.grow(10), HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_TRUE(waits.wait_for(2));
  EXPECT_EQ(master.sample("ha_degraded"), 1);
  EXPECT_EQ(master.sample("ha_degraded_acks_total"), 2);
  EXPECT_EQ(master.status().at("degraded").at("now"), true);
  EXPECT_TRUE(host_.wait_for_log("degraded: copies are missing"));

  // A slave comes and holds all of it: healed, and waits wait again.
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.join("b", 0));
  ASSERT_EQ(slave.follow_to(0, end + 10), "");
  ASSERT_TRUE(slave.ack(end + 10, 0));
  ASSERT_TRUE(host_.wait_for_log("degraded no more"));
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].to, Offset(end + 10));
  EXPECT_GT(kept()[0].healed_ms, 0);
  EXPECT_EQ(master.sample("ha_degraded"), 0);
  const std::int64_t more = host_.grow(5);
  master.notify(more);
  ASSERT_EQ(waits.wait(master, more, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_EQ(slave.follow_to(end + 10, more), "");
  ASSERT_TRUE(slave.ack(more, 0));
  ASSERT_TRUE(waits.wait_for(3));
  EXPECT_EQ(master.sample("ha_degraded_acks_total"), 2);
}

// Its own deadline is none of the policy's business.
TEST_F(Degrade, AWaitWithAnEarlierDeadlineTimesOut) {
  Instance master(host_, options({{"degrade_after_ms", "600000"}}));
  master.start_master();
  EXPECT_EQ(wait_result(master, host_.grow(100), HA_ACKS_DEFAULT, 20), HA_FLUSH_SLAVE_TIMEOUT);
  EXPECT_FALSE(state_.has("ha_degraded.json"));
}

TEST_F(Degrade, WithoutAJournalNothingIsAnswered) {
  Instance master(host_, options());
  master.start_master();
  std::filesystem::create_directory(state_.path() + "/ha_degraded.json.tmp");
  EXPECT_EQ(wait_result(master, host_.grow(100), HA_ACKS_DEFAULT, 300), HA_FLUSH_SLAVE_TIMEOUT);
  EXPECT_EQ(host_.count_logs("the journal of degraded answers cannot be written"), 1U);
}

// Durable means at least on this node's disk.
TEST_F(Degrade, ADurableWaitWantsTheMastersOwnFlush) {
  Instance master(host_, options({{"default_durability", "durable"}}));
  master.start_master();
  const std::int64_t end = host_.grow(100);
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  EXPECT_EQ(wait_result(master, end, 2, kLongMs, HA_DURABILITY_RECEIVED), HA_OK);
  EXPECT_TRUE(waits.ended().empty());
  host_.set_durable(end);
  master.notify_durable(end);
  EXPECT_EQ(waits.first_status(), HA_OK);
}

TEST_F(Degrade, TheJournalOutlivesTheProcessAndThePolicyMayChangeWhileRunning) {
  const std::int64_t end = host_.grow(100);
  {
    Instance master(host_, options());
    master.start_master();
    WaitLog waits;
    ASSERT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
    ASSERT_TRUE(waits.wait_for(1));
  }
  Instance master(host_, options());
  ASSERT_EQ(master.start(HA_ROLE_MASTER), HA_OK);
  ASSERT_TRUE(host_.wait_for_role(HA_ROLE_MASTER, 2));
  EXPECT_EQ(master.sample("ha_degraded"), 1);
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_TRUE(waits.wait_for(1));
  ASSERT_EQ(master.set_option("missing_copies", "fail"), HA_OK);
  EXPECT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, kLongMs), HA_SLAVE_NOT_AVAILABLE);
  ASSERT_EQ(master.set_option("missing_copies", "block"), HA_OK);
  EXPECT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, 20), HA_OK);
  ASSERT_TRUE(waits.wait_for(2));
  EXPECT_EQ(waits.ended()[1].status, HA_FLUSH_SLAVE_TIMEOUT);
  master.stop();
  state_.write("ha_degraded.json", "{");
  Instance damaged(host_, options());
  EXPECT_EQ(damaged.start(HA_ROLE_MASTER), HA_CORRUPT);
  EXPECT_NE(std::string(damaged.error().text).find("ha_degraded.json"), std::string::npos);
}

// A wait that is open when the policy changes is answered by the new one.
TEST_F(Degrade, ThePolicyMayBecomeDegradeUnderASlaveThatStandsStill) {
  Instance master(host_, options({{"missing_copies", "block"}, {"degrade_after_ms", "3600000"}}));
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.join("b", 0));
  ASSERT_TRUE(slave.ack(0, 0));
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  const std::int64_t end = host_.grow(100);
  master.notify(end);
  ASSERT_EQ(slave.follow_to(0, end), "");
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_EQ(master.set_option("missing_copies", "degrade"), HA_OK);
  EXPECT_TRUE(waits.ended().empty());
  EXPECT_FALSE(state_.has("ha_degraded.json"));
  ASSERT_EQ(master.set_option("degrade_after_ms", "10"), HA_OK);
  EXPECT_EQ(waits.first_status(), HA_OK);
  ASSERT_EQ(kept().size(), 1U);

  // Held now, but for an hour first; then for no time.
  ASSERT_EQ(master.set_option("degraded_hold_ms", "3600000"), HA_OK);
  ASSERT_TRUE(slave.ack(end, 0));
  ASSERT_TRUE(
      Instance::eventually([&] { return master.snapshot().replicas.at(0).ack_offset == end; }));
  EXPECT_EQ(master.sample("ha_degraded"), 1);
  ASSERT_EQ(master.set_option("degraded_hold_ms", "0"), HA_OK);
  ASSERT_TRUE(host_.wait_for_log("degraded no more"));
  EXPECT_TRUE(master.only_connection_is(slave.peer().local_address()));
}

// What a slave held while the policy was another one was acknowledged in keeping with that.
TEST_F(Degrade, WhoChangesThePolicyInAnOutageGetsARangeThatBeginsWithTheOutage) {
  Instance master(host_, options({{"missing_copies", "block"}}));
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.join("b", 0));
  const std::int64_t held = host_.grow(100);
  master.notify(held);
  ASSERT_EQ(slave.follow_to(0, held), "");
  ASSERT_TRUE(slave.ack(held, 0));
  WaitLog waits;
  EXPECT_TRUE(Instance::eventually(
      [&] { return waits.wait(master, held, HA_ACKS_DEFAULT, kLongMs) == HA_DONE; }));
  slave.peer().leave();
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  const std::size_t before = waits.ended().size();
  ASSERT_EQ(waits.wait(master, host_.grow(10), HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_EQ(master.set_option("missing_copies", "degrade"), HA_OK);
  ASSERT_TRUE(waits.wait_for(before + 1));
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].from, Offset(held));
}

}  // namespace
}  // namespace ha::testing
