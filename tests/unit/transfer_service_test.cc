// SPDX-License-Identifier: Apache-2.0
// Group transfer, with the names of RocketMQ's suites where a case is theirs. A request for "1 ack"
// there is one for 2 copies here, since the master's own counts.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "ha_plugin/core/catch_up.h"
#include "ha_plugin/core/catch_up_rate.h"
#include "tests/unit/core/printing.h"
#include "tests/unit/transfer_fixture.h"

namespace ha {
namespace {

// A wake-up costs more than all the rest of a wait: only waits that nothing else would end ring.
TEST_F(TransferServiceTest, AWaitThatAnAckWillEndDoesNotRing) {
  make();
  service_->join(1, "a", Offset(0));
  service_->set_next_turn(now_ + std::chrono::seconds(1));
  rings_ = 0;
  EXPECT_EQ(wait(10, 2), Status::kOk);
  EXPECT_EQ(rings_, 0);
  service_->ack(1, Offset(10));
  turn(10);
  EXPECT_EQ(ends(), (std::vector<std::int64_t>{10}));
}

TEST_F(TransferServiceTest, AWaitThatIsOverBeforeTheNextTurnRings) {
  make();
  service_->join(1, "a", Offset(0));
  service_->set_next_turn(now_ + std::chrono::seconds(1));
  rings_ = 0;
  EXPECT_EQ(wait(10, 2, 999'999'999), Status::kOk);
  EXPECT_EQ(rings_, 1);
  service_->set_next_turn(core::kNever);
  EXPECT_EQ(wait(10, 2), Status::kOk);
  EXPECT_EQ(rings_, 2);
}

// What all in sync hold changes without an ack: the set may shrink.
TEST_F(TransferServiceTest, AWaitForAllInSyncRings) {
  make();
  service_->join(1, "a", Offset(0));
  service_->set_next_turn(now_ + std::chrono::seconds(1));
  rings_ = 0;
  EXPECT_EQ(wait(10, HA_ACKS_ALL_IN_SYNC), Status::kOk);
  EXPECT_EQ(rings_, 1);
}

// A thread that is woken comes back with more: the one that wakes it looks again by itself.
TEST_F(TransferServiceTest, RingsBeforeItCallsBack) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(10, 2), Status::kOk);
  service_->ack(1, Offset(10));
  rings_ = 0;
  int rings_in_callback = -1;
  hook_ = [&] { rings_in_callback = rings_; };
  turn(10);
  EXPECT_EQ(rings_in_callback, 1);
  turn(10);
  EXPECT_EQ(rings_, 1);
}

// HAServerTest.testConnectionList_*: who is connected counts; who has gone does not.
TEST_F(TransferServiceTest, CountsReplicasThatAreThere) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(service_->tracker().replicas(), 1);
  service_->join(2, "b", Offset(0));
  service_->join(3, "c", Offset(0));
  EXPECT_EQ(service_->tracker().replicas(), 3);
  service_->leave(2);
  EXPECT_EQ(service_->tracker().replicas(), 2);
}

// HAServerTest.inSyncReplicasNums, getPush2SlaveMaxOffset.
TEST_F(TransferServiceTest, InSyncReplicas) {
  make();
  service_->join(1, "a", Offset(123));
  service_->join(2, "b", Offset(124));
  service_->join(3, "c", Offset(123));
  service_->join(4, "d", Offset(125));
  EXPECT_EQ(service_->in_sync(Offset(1000)), 5);
  EXPECT_EQ(service_->in_sync(Offset(123 + 1000)), 3);
  EXPECT_EQ(service_->in_sync(Offset(124 + 1000)), 2);
  EXPECT_EQ(service_->in_sync(Offset(125 + 1000)), 1);
  EXPECT_EQ(service_->tracker().held_by(2), Offset(125));
  EXPECT_TRUE(service_->is_in_sync(1, Offset(1122)));
  EXPECT_FALSE(service_->is_in_sync(1, Offset(1123)));
  EXPECT_FALSE(service_->is_in_sync(5, Offset(0)));
  service_->set_in_sync(2, "b", false);
  EXPECT_FALSE(service_->is_in_sync(2, Offset(124)));
  EXPECT_EQ(service_->in_sync(Offset(1000)), 4);
  EXPECT_EQ(service_->tracker().held_by(2), Offset(125));  // its copy is as good as before
  service_->set_in_sync(2, "b", true);
  EXPECT_EQ(service_->in_sync(Offset(1000)), 5);
}

// HAServerTest.putRequest_SingleAck: RocketMQ lets it run into its deadline; here it is said at
// once that nobody is there.
TEST_F(TransferServiceTest, SingleAck) {
  make();
  EXPECT_EQ(wait(124, 2), Status::kSlaveNotAvailable);
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(124, 2), Status::kOk);
  turn(124);
  EXPECT_TRUE(ended_.empty());
  service_->ack(1, Offset(124));
  turn(124);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, HA_OK);
  EXPECT_EQ(wait(124, 2), Status::kDone);
  EXPECT_EQ(ended_.size(), 1u);
}

// HAServerTest.putRequest_MultipleAckAndRequests.
TEST_F(TransferServiceTest, MultipleAcksAndRequests) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(124, 2), Status::kOk);
  EXPECT_EQ(wait(124, 3, 1000), Status::kOk);
  service_->ack(1, Offset(125));
  turn(130);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].id, 0u);
  now_ += Time(1000);
  turn(130);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[1].status, HA_FLUSH_SLAVE_TIMEOUT);

  EXPECT_EQ(wait(124, 3), Status::kOk);
  service_->join(2, "b", Offset(128));
  turn(130);
  ASSERT_EQ(ended_.size(), 3u);
  EXPECT_EQ(ended_[2].status, HA_OK);
}

// RocketMQ serves one request at a time: a satisfied one waits behind one that cannot be.
TEST_F(TransferServiceTest, ASatisfiedWaitIsNotHeldBehindAnother) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(500, 3), Status::kOk);
  EXPECT_EQ(wait(900, 2), Status::kOk);
  EXPECT_EQ(wait(100, 2), Status::kOk);
  service_->ack(1, Offset(100));
  turn(1000);
  EXPECT_EQ(ends(), (std::vector<std::int64_t>{100}));
}

// RocketMQ looks at the deadline first.
TEST_F(TransferServiceTest, AWaitThatIsSatisfiedIsNeverATimeout) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2, 1000), Status::kOk);
  EXPECT_EQ(wait(101, 2, 1000), Status::kOk);
  service_->ack(1, Offset(100));
  now_ += Time(1'000'000);  // nobody looked until long after the deadline
  turn(1000);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[0].status, HA_OK);
  EXPECT_EQ(ended_[1].status, HA_FLUSH_SLAVE_TIMEOUT);
}

// Sockets are to have their turn while very many waits end, and none of those may end as too late.
TEST_F(TransferServiceTest, VeryManyEndInSeveralTurns) {
  make();
  service_->join(1, "a", Offset(0));
  constexpr std::size_t kMany = 10'000;
  for (std::size_t n = 0; n < kMany; ++n) ASSERT_EQ(wait(100, 2, 1000), Status::kOk);
  service_->ack(1, Offset(100));
  now_ += Time(1'000'000);
  for (std::size_t before = 0; ended_.size() < kMany; before = ended_.size()) {
    rings_ = 0;
    turn(1000);
    ASSERT_GT(ended_.size(), before);
    EXPECT_LT(ended_.size() - before, kMany / 4);
    EXPECT_EQ(rings_, 1);
  }
  for (const auto& one : ended_) ASSERT_EQ(one.status, HA_OK);
  EXPECT_EQ(service_->pending(), 0);
}

TEST_F(TransferServiceTest, EveryWaitHasItsOwnDeadline) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2, 3000), Status::kOk);
  EXPECT_EQ(wait(200, 2, 1000), Status::kOk);
  turn(1000);
  EXPECT_EQ(service_->next_deadline(), now_ + Time(1000));
  now_ += Time(1000);
  turn(1000);
  EXPECT_EQ(ends(), (std::vector<std::int64_t>{200}));
  EXPECT_EQ(service_->next_deadline(), now_ + Time(2000));
}

TEST_F(TransferServiceTest, ATimeoutBeyondAllTimesDoesNotEndTheWait) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2, INT64_MAX), Status::kOk);
  now_ += std::chrono::hours(1);
  turn(1000);
  EXPECT_TRUE(ended_.empty());
  service_->fail_all(Status::kShutdown);
}

// A loss of power would take the epoch with it, and the position that a rival is measured by.
TEST_F(TransferServiceTest, TheMastersOwnCopyIsDurableFromItsEpochOn) {
  make({1, 1, 1000, false, 8, 1, 2});
  service_->set_master(true, 3, Offset(500));
  service_->join(1, "b", Offset(600), Offset(600));
  const auto durable_wait = [&](std::int64_t end, std::int64_t epoch) {
    ha_wait_request request{};
    request.struct_size = sizeof(request);
    request.acks = 2;
    request.end = end;
    request.epoch = epoch;
    request.timeout_ns = kLongNs;
    request.durability = HA_DURABILITY_DURABLE;
    request.fn = [](void* user, std::int32_t status, std::int64_t) noexcept {
      *static_cast<std::int32_t*>(user) = status;
    };
    request.user = &durable_status_;
    return service_->wait(request, now_);
  };
  ASSERT_EQ(durable_wait(400, 3), Status::kOk);
  EXPECT_EQ(durable_wait(400, 2), Status::kEpoch);
  durable_status_ = 99;
  turn(600, 499);
  EXPECT_EQ(durable_status_, 99);
  turn(600, 500);
  EXPECT_EQ(durable_status_, HA_OK);
}

TEST_F(TransferServiceTest, RefusesWhatCanNeverBeRight) {
  make();
  EXPECT_EQ(wait(-1, 2), Status::kInvalid);
  EXPECT_EQ(wait(1, 2, 0), Status::kInvalid);
  EXPECT_EQ(wait(1, 2, -5), Status::kInvalid);
  EXPECT_EQ(wait(1, 9), Status::kInvalid);  // more copies than there can be
  EXPECT_EQ(wait(1, -3), Status::kInvalid);
  EXPECT_EQ(wait(1, HA_ACKS_QUORUM), Status::kUnsupported);
  ha_wait_request request{};
  request.acks = 2;
  request.timeout_ns = 1;
  EXPECT_EQ(service_->wait(request, now_), Status::kInvalid);  // no fn
  request.fn = [](void*, std::int32_t, std::int64_t) noexcept {};
  request.epoch = 1;
  EXPECT_EQ(service_->wait(request, now_), Status::kUnsupported);
  request.epoch = 0;
  request.durability = 3;
  EXPECT_EQ(service_->wait(request, now_), Status::kInvalid);
  EXPECT_EQ(service_->check(2, -1), Status::kInvalid);
  EXPECT_EQ(service_->pending(), 0);
}

TEST_F(TransferServiceTest, BeyondTheMostPendingIsAgain) {
  make({1, 1, 1000, false, 8}, 2);
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2), Status::kOk);
  EXPECT_EQ(wait(200, 2), Status::kOk);
  EXPECT_EQ(wait(300, 2), Status::kAgain);
  EXPECT_EQ(service_->pending(), 2);
  service_->ack(1, Offset(100));
  turn(1000);
  EXPECT_EQ(wait(300, 2), Status::kOk);
}

// Judged as it is now, not as it was when the wait began.
TEST_F(TransferServiceTest, AllInSyncFollowsTheSetAsItChanges) {
  make();
  service_->join(1, "a", Offset(900));
  service_->join(2, "b", Offset(900));
  EXPECT_EQ(wait(1000, HA_ACKS_ALL_IN_SYNC), Status::kOk);
  service_->ack(1, Offset(1000));
  turn(1000);
  EXPECT_TRUE(ended_.empty());  // b is a member and does not hold it

  service_->join(3, "c", Offset(950));  // a new member is waited for too
  service_->ack(2, Offset(1000));
  turn(1000);
  EXPECT_TRUE(ended_.empty());

  service_->leave(3);
  turn(1000);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, HA_OK);
}

TEST_F(TransferServiceTest, AllInSyncGoesOnWithoutWhoFellBehind) {
  make();
  service_->join(1, "a", Offset(900));
  service_->join(2, "b", Offset(100));
  EXPECT_EQ(wait(1000, HA_ACKS_ALL_IN_SYNC), Status::kOk);
  service_->ack(1, Offset(1000));
  turn(1000);
  EXPECT_TRUE(ended_.empty());
  turn(1100);  // b is now behind by the gap
  EXPECT_EQ(ended_.size(), 1u);
}

TEST_F(TransferServiceTest, AReplicaThatLeavesTakesItsCopyAlong) {
  make();
  service_->join(1, "a", Offset(0));
  service_->join(2, "b", Offset(500));
  EXPECT_EQ(wait(400, 3), Status::kOk);
  service_->leave(2);
  service_->ack(1, Offset(450));
  turn(1000);
  EXPECT_TRUE(ended_.empty());
  service_->join(3, "b", Offset(400));
  turn(1000);
  EXPECT_EQ(ended_.size(), 1u);
}

TEST_F(TransferServiceTest, EveryAckOfEveryReplicaWakes) {
  // RocketMQ wakes only when the highest ack grows.
  make();
  service_->join(1, "a", Offset(500));
  service_->join(2, "b", Offset(100));
  EXPECT_EQ(wait(300, 3), Status::kOk);
  service_->ack(2, Offset(300));
  turn(1000);
  EXPECT_EQ(ended_.size(), 1u);
}

TEST_F(TransferServiceTest, LeavingMasterEndsEveryWait) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2), Status::kOk);
  EXPECT_EQ(wait(200, 3), Status::kOk);
  service_->set_master(false);
  service_->fail_all(Status::kNotMaster);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[0].status, HA_NOT_MASTER);
  EXPECT_EQ(wait(300, 2), Status::kNotMaster);
  EXPECT_EQ(service_->check(2, 0), Status::kNotMaster);
  EXPECT_EQ(service_->pending(), 0);
}

TEST_F(TransferServiceTest, ACallbackMayWaitAgain) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2), Status::kOk);
  hook_ = [&] {
    if (ended_.size() == 1) {
      EXPECT_EQ(wait(200, 2), Status::kOk);
    }
  };
  service_->ack(1, Offset(150));
  turn(1000);
  EXPECT_EQ(ended_.size(), 1u);
  EXPECT_EQ(service_->pending(), 1);
  service_->ack(1, Offset(200));
  turn(1000);
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_EQ(service_->pending(), 0);
}

TEST_F(TransferServiceTest, ProgressRisesWithTheDefaultPolicyOnly) {
  make({2, 1, 1000, false, 8});
  turn(100);
  EXPECT_TRUE(progress_.empty());
  service_->join(1, "a", Offset(50));
  turn(100);
  service_->ack(1, Offset(80));
  turn(100);
  turn(100);
  EXPECT_EQ(progress_, (std::vector<std::int64_t>{50, 80}));
  service_->set_master(false);
  service_->ack(1, Offset(90));
  turn(100);
  EXPECT_EQ(progress_.size(), 2u);
}

TEST_F(TransferServiceTest, CountsEveryOutcome) {
  make();
  EXPECT_EQ(wait(1, 2), Status::kSlaveNotAvailable);
  EXPECT_EQ(wait(1, 1), Status::kDone);
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(10, 2), Status::kOk);
  service_->ack(1, Offset(10));
  turn(10);
  EXPECT_EQ(metrics_.wait_results[0].value(), 2u);
  EXPECT_EQ(metrics_.wait_results[-HA_SLAVE_NOT_AVAILABLE].value(), 1u);
  EXPECT_EQ(metrics_.waits_started.value(), 1u);
}

TEST_F(TransferServiceTest, DrainingEndsWhenTheLastWaitDoesAndTheReplicasHoldTheLog) {
  make();
  service_->join(1, "a", Offset(0));
  EXPECT_EQ(wait(100, 2), Status::kOk);
  service_->refuse_new();
  EXPECT_EQ(wait(200, 2), Status::kShutdown);
  EXPECT_FALSE(service_->wait_until_drained(Time(0)));
  std::atomic<bool> all{false};
  std::thread io([&] {
    service_->ack(1, Offset(100));
    turn(150);  // the wait is over, and the replica lacks something
    all = true;
    service_->ack(1, Offset(150));
    turn(150);
  });
  EXPECT_TRUE(service_->wait_until_drained(core::kNever / 2));
  EXPECT_TRUE(all) << "the replica was not waited for";
  io.join();
}

// Else it would be sent less, and they would wait for longer.
TEST_F(TransferServiceTest, WaitsThatTheReplicaEndsThatCatchesUpDoNotLimitIt) {
  constexpr std::int64_t kEnd = 4 * core::kLiveTailBytes;
  make();
  service_->join(1, "a", Offset(0));
  for (std::int64_t end = 100; end <= 20'000; end += 100) {
    ASSERT_EQ(wait(end, 2), Status::kOk);
    turn(kEnd);
    service_->ack(1, Offset(end));
    turn(kEnd);
    now_ += std::chrono::milliseconds(10);
  }
  ASSERT_EQ(ended_.size(), 200U);
  EXPECT_EQ(service_->catch_up_rate(now_), 0);
}

TEST_F(TransferServiceTest, WaitsForTheNewestBytesLimitWhatCatchesUpUntilOneLacksCopies) {
  make();
  service_->join(1, "a", Offset(0));
  std::int64_t end = 0;
  for (int i = 0; i < 200; ++i) {
    end += 100;
    ASSERT_EQ(wait(end, 2), Status::kOk);
    service_->ack(1, Offset(end));
    turn(end);
    now_ += std::chrono::milliseconds(10);
  }
  EXPECT_GE(service_->catch_up_rate(now_), core::CatchUpRate::kLeast);
  // The replica that keeps up is slow now.
  ASSERT_EQ(wait(end + 100, 2), Status::kOk);
  turn(end + 100);
  now_ += std::chrono::milliseconds(1500);
  EXPECT_GE(service_->catch_up_rate(now_), core::CatchUpRate::kLeast);
  ASSERT_EQ(wait(end + 100, 3), Status::kOk);
  turn(end + 100);
  now_ += std::chrono::milliseconds(1500);
  EXPECT_EQ(service_->catch_up_rate(now_), 0);
}

TEST_F(TransferServiceTest, AReplicaThatProducersNeedIsNotLimited) {
  make();
  service_->join(1, "a", Offset(0), core::kNoOffset, false);
  ASSERT_EQ(wait(100, 2), Status::kOk);
  for (int i = 0; i < 4; ++i) {
    turn(100);
    EXPECT_EQ(service_->catch_up_rate(now_), 0);
    now_ += std::chrono::milliseconds(400);
  }
}

TEST_F(TransferServiceTest, OwesAnswersUntilAllThatEnoughReplicasHoldHaveEnded) {
  constexpr std::int64_t kWaits = 3000;  // more than end in one turn
  make();
  service_->join(1, "a", Offset(0));
  for (std::int64_t i = 1; i <= kWaits; ++i) ASSERT_EQ(wait(i, 2), Status::kOk);
  turn(kWaits);
  EXPECT_FALSE(service_->owes_answers(Offset(kWaits)));
  service_->ack(1, Offset(kWaits));
  turn(kWaits);
  EXPECT_TRUE(service_->owes_answers(Offset(kWaits)));
  turn(kWaits);
  turn(kWaits);
  EXPECT_FALSE(service_->owes_answers(Offset(kWaits)));
  EXPECT_EQ(ends().size(), static_cast<std::size_t>(kWaits));
}

TEST_F(TransferServiceTest, OwesAnswersThatWaitForAFlush) {
  make();
  service_->join(1, "a", Offset(0), Offset(0));
  ASSERT_EQ(wait(100, 2, kLongNs, HA_DURABILITY_DURABLE), Status::kOk);
  turn(100);
  EXPECT_FALSE(service_->owes_answers(Offset(100)));
  service_->ack(1, Offset(100), Offset(0));
  turn(100);
  EXPECT_TRUE(service_->owes_answers(Offset(100)));
}

}  // namespace
}  // namespace ha
