// SPDX-License-Identifier: Apache-2.0
// Waits through the whole plugin: HATest's intent, with slaves that the test plays.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

constexpr std::int64_t kLongMs = 600'000;

class Waits : public ::testing::Test {
 protected:
  void start(Options options = {}) {
    options.emplace_back("bootstrap", "earliest");
    master_.emplace(host_, options);
    master_->start_master();
  }
  Peer join() {
    Peer peer = Peer::to(master_->port());
    EXPECT_TRUE(peer.report(0));
    EXPECT_TRUE(host_.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, ++joined_));
    return peer;
  }
  std::int64_t append(std::int64_t size) {
    const std::int64_t end = host_.grow(size);
    master_->notify(end);
    return end;
  }
  std::vector<std::int32_t> statuses() const {
    std::vector<std::int32_t> all;
    for (const auto& e : waits_.ended()) all.push_back(e.status);
    return all;
  }

  WaitLog waits_;
  MemoryHost host_;
  std::optional<Instance> master_;
  std::size_t joined_ = 0;
};

// HATest.testSemiSyncReplica.
TEST_F(Waits, AProducerIsWokenWhenItsBytesAreOnASlave) {
  start({{"in_sync_replicas", "2"}});
  Peer slave = join();
  std::int64_t from = 0;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t end = append(300);
    ASSERT_EQ(waits_.wait(*master_, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
    ASSERT_EQ(slave.follow_to(from, end, false), "");
    EXPECT_EQ(waits_.ended().size(), static_cast<std::size_t>(i)) << "woken before the ack";
    ASSERT_TRUE(slave.report(end));
    ASSERT_TRUE(waits_.wait_for(static_cast<std::size_t>(i) + 1));
    from = end;
  }
  for (const std::int32_t status : statuses()) EXPECT_EQ(status, HA_OK);
  slave.leave();
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  EXPECT_EQ(master_->check_acks(HA_ACKS_DEFAULT), HA_SLAVE_NOT_AVAILABLE);
  EXPECT_EQ(waits_.wait(*master_, append(1), HA_ACKS_DEFAULT, kLongMs), HA_SLAVE_NOT_AVAILABLE);
  // Also for what the slave held when it left: that copy does not count any more.
  EXPECT_EQ(waits_.wait(*master_, from, HA_ACKS_DEFAULT, kLongMs), HA_SLAVE_NOT_AVAILABLE);
}

// HATest.testSemiSyncReplicaWhenSlaveActingMaster, WhenAdaptiveDegradation.
TEST_F(Waits, TheMinimumRefusesAndTheAdaptiveDefaultGoesOn) {
  start({{"in_sync_replicas", "2"}, {"min_in_sync_replicas", "2"}});
  EXPECT_EQ(master_->check_acks(HA_ACKS_DEFAULT), HA_IN_SYNC_REPLICAS_NOT_ENOUGH);
  EXPECT_EQ(waits_.wait(*master_, append(1), HA_ACKS_DEFAULT, kLongMs),
            HA_IN_SYNC_REPLICAS_NOT_ENOUGH);
  ASSERT_EQ(master_->set_option("min_in_sync_replicas", "1"), HA_OK);
  ASSERT_EQ(master_->set_option("auto_in_sync_replicas", "true"), HA_OK);
  EXPECT_EQ(master_->check_acks(HA_ACKS_DEFAULT), HA_OK);
  EXPECT_EQ(waits_.wait(*master_, append(1), HA_ACKS_DEFAULT, kLongMs), HA_DONE);
  Peer slave = join();
  EXPECT_EQ(waits_.wait(*master_, append(1), HA_ACKS_DEFAULT, kLongMs), HA_OK);
}

TEST_F(Waits, ASlaveThatDoesNotAnswerEndsInFlushSlaveTimeout) {
  start();
  Peer slave = join();
  ASSERT_EQ(waits_.wait(*master_, append(100), 2, 20), HA_OK);
  ASSERT_TRUE(waits_.wait_for(1));
  EXPECT_EQ(statuses(), (std::vector<std::int32_t>{HA_FLUSH_SLAVE_TIMEOUT}));
  EXPECT_EQ(waits_.ended()[0].end, 100);
}

// A timeout must not wait for those before it, nor for the plugin's own clockwork.
TEST_F(Waits, AShortDeadlineBehindALongOneIsKept) {
  start();
  Peer slave = join();
  ASSERT_EQ(waits_.wait(*master_, 100, 2, kLongMs), HA_OK);
  ASSERT_EQ(waits_.wait(*master_, 200, 2, 20), HA_OK);
  ASSERT_TRUE(waits_.wait_for(1));
  EXPECT_EQ(waits_.ended()[0].end, 200);
}

TEST_F(Waits, AWaitMayComeBeforeTheLogGrowsAndBeforeTheNotify) {
  start();
  Peer slave = join();
  ASSERT_EQ(waits_.wait(*master_, 500, 2, kLongMs), HA_OK);
  append(500);
  ASSERT_EQ(slave.follow_to(0, 500), "");
  ASSERT_TRUE(waits_.wait_for(1));
  EXPECT_EQ(statuses(), (std::vector<std::int32_t>{HA_OK}));
}

TEST_F(Waits, AnswersAtOnceWhatIsThereAlready) {
  start();
  Peer slave = join();
  const std::int64_t end = append(500);
  ASSERT_EQ(slave.follow_to(0, end), "");
  ASSERT_TRUE(
      Instance::eventually([&] { return master_->snapshot().replicas.at(0).ack_offset == end; }));
  EXPECT_TRUE(
      Instance::eventually([&] { return waits_.wait(*master_, end, 2, kLongMs) == HA_DONE; }));
  EXPECT_EQ(waits_.wait(*master_, end + 1, 1, kLongMs), HA_DONE);
  EXPECT_EQ(waits_.wait(*master_, end, 0, kLongMs), HA_DONE);
  EXPECT_EQ(waits_.wait(*master_, end, HA_ACKS_ALL_IN_SYNC, kLongMs), HA_OK);
  ASSERT_TRUE(waits_.wait_for(1));
  for (const std::int32_t status : statuses()) EXPECT_EQ(status, HA_OK);
}

TEST_F(Waits, MoreCopiesThanThereCanBeAreInvalid) {
  start({{"max_connections", "3"}});
  Peer slave = join();
  EXPECT_EQ(waits_.wait(*master_, 10, 5, kLongMs), HA_INVALID);
  EXPECT_EQ(master_->check_acks(5), HA_INVALID);
  EXPECT_EQ(waits_.wait(*master_, 10, 4, kLongMs), HA_OK);
  EXPECT_EQ(waits_.wait(*master_, 10, HA_ACKS_QUORUM, kLongMs), HA_UNSUPPORTED);
  EXPECT_EQ(master_->check_acks(2, HA_DURABILITY_DURABLE), HA_UNSUPPORTED);
}

TEST_F(Waits, BeyondTheMostPendingIsAgain) {
  start({{"max_pending_waits", "3"}});
  Peer slave = join();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(waits_.wait(*master_, 100 + i, 2, kLongMs), HA_OK);
  EXPECT_EQ(waits_.wait(*master_, 103, 2, kLongMs), HA_AGAIN);
  EXPECT_TRUE(Instance::eventually([&] { return master_->snapshot().total.pending_waits == 3; }));
  append(100);
  ASSERT_EQ(slave.follow_to(0, 100), "");
  ASSERT_TRUE(waits_.wait_for(1));
  EXPECT_TRUE(
      Instance::eventually([&] { return waits_.wait(*master_, 104, 2, kLongMs) == HA_OK; }));
}

// What /proc says of this process' I/O thread: 'R' runs, 'S' sleeps.
char io_thread_state() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "stat");
    std::string number;
    std::string name;
    char state = 0;
    if (file >> number >> name >> state && name == "(ha-io)") return state;
  }
  return 0;
}

// It polls for as long as there may be between two ticks, so while it does it never sleeps.
TEST_F(Waits, BesideManyWaitsTheIoThreadDoesNotPoll) {
  start({{"busy_poll_us", "1000000"}, {"busy_poll_max_waits", "1"}});
  Peer slave = join();
  ASSERT_EQ(waits_.wait(*master_, 100, 2, kLongMs), HA_OK);
  EXPECT_TRUE(Instance::eventually([] { return io_thread_state() == 'R'; }));
  ASSERT_EQ(waits_.wait(*master_, 200, 2, kLongMs), HA_OK);
  EXPECT_TRUE(Instance::eventually([] { return io_thread_state() == 'S'; }));
  ASSERT_TRUE(slave.report(append(100)));
  EXPECT_TRUE(Instance::eventually([] { return io_thread_state() == 'R'; }));
}

TEST_F(Waits, LevelsEndIndependentlyAndInOffsetOrder) {
  start();
  Peer a = join();
  Peer b = join();
  append(1000);
  ASSERT_EQ(waits_.wait(*master_, 900, 3, kLongMs), HA_OK);
  ASSERT_EQ(waits_.wait(*master_, 1000, 2, kLongMs), HA_OK);
  ASSERT_EQ(waits_.wait(*master_, 500, 2, kLongMs), HA_OK);
  ASSERT_EQ(a.follow_to(0, 1000, false), "");
  ASSERT_EQ(b.follow_to(0, 1000, false), "");
  ASSERT_TRUE(a.report(1000));
  ASSERT_TRUE(waits_.wait_for(2));
  EXPECT_EQ(waits_.ended()[0].end, 500);
  EXPECT_EQ(waits_.ended()[1].end, 1000);
  ASSERT_TRUE(b.report(900));
  ASSERT_TRUE(waits_.wait_for(3));
  EXPECT_EQ(waits_.ended()[2].end, 900);
}

TEST_F(Waits, ProgressFollowsTheDefaultPolicy) {
  start({{"in_sync_replicas", "2"}});
  Peer slave = join();
  append(1000);
  ASSERT_EQ(slave.follow_to(0, 1000, false), "");
  ASSERT_TRUE(slave.report(400));
  ASSERT_TRUE(host_.wait_for([&] { return true; }));
  EXPECT_TRUE(Instance::eventually([&] {
    const auto seen = host_.progress();
    return !seen.empty() && seen.back() == 400;
  }));
  ASSERT_TRUE(slave.report(1000));
  EXPECT_TRUE(Instance::eventually([&] { return host_.progress().back() == 1000; }));
  const auto seen = host_.progress();
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// Each wait is judged by the policy that there is when it comes; the slave stays where it is.
TEST_F(Waits, ThePolicyChangesUnderASlaveThatStaysConnected) {
  start();
  Peer slave = join();
  EXPECT_EQ(waits_.wait(*master_, append(100), HA_ACKS_DEFAULT, kLongMs), HA_DONE);
  ASSERT_EQ(master_->set_option("in_sync_replicas", "2"), HA_OK);
  ASSERT_EQ(waits_.wait(*master_, append(100), HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_EQ(slave.follow_to(0, 200, false), "");
  EXPECT_TRUE(waits_.ended().empty()) << "woken before the ack";
  ASSERT_TRUE(slave.report(200));
  ASSERT_TRUE(waits_.wait_for(1));

  ASSERT_EQ(master_->set_option("in_sync_replicas", "3"), HA_OK);
  ASSERT_EQ(master_->set_option("min_in_sync_replicas", "3"), HA_OK);
  EXPECT_EQ(waits_.wait(*master_, append(1), HA_ACKS_DEFAULT, kLongMs),
            HA_IN_SYNC_REPLICAS_NOT_ENOUGH);
  ASSERT_EQ(master_->set_option("min_in_sync_replicas", "2"), HA_OK);
  EXPECT_EQ(waits_.wait(*master_, append(1), HA_ACKS_DEFAULT, 20), HA_OK);
  ASSERT_TRUE(waits_.wait_for(2));
  ASSERT_EQ(master_->set_option("in_sync_replicas", "2"), HA_OK);
  const std::int64_t end = append(1);
  ASSERT_EQ(waits_.wait(*master_, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  ASSERT_EQ(slave.follow_to(200, end), "");
  ASSERT_TRUE(waits_.wait_for(3));
  EXPECT_EQ(statuses(), (std::vector<std::int32_t>{HA_OK, HA_FLUSH_SLAVE_TIMEOUT, HA_OK}));
  EXPECT_TRUE(master_->only_connection_is(slave.local_address()));
}

}  // namespace
}  // namespace ha::testing
