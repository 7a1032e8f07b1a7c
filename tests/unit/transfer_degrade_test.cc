// SPDX-License-Identifier: Apache-2.0
// Group transfer with missing_copies = degrade.

#include <gtest/gtest.h>

#include <filesystem>

#include "ha_plugin/state/degraded_keeper.h"
#include "tests/unit/core/printing.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/state_dir.h"
#include "tests/unit/transfer_fixture.h"

namespace ha {
namespace {

// What is due and cannot be answered is no reason to look again at once.
TEST_F(TransferServiceTest, AJournalThatCannotBeWrittenDoesNotSpin) {
  testing::MemoryHost memory;
  const Host host(memory.api(), &memory);
  Settings settings;
  settings.state_dir = "/nonexistent";
  DegradedKeeper keeper(host, settings, metrics_);
  core::AckPolicy policy{2, 1, 1000, false, 8, 1, 0, true};
  service_ = std::make_unique<TransferService>(
      metrics_, policy, 100, [] {}, &keeper);
  service_->set_master(true);
  service_->set_degrade_after(Time(10));
  ASSERT_EQ(wait(100, 2), Status::kOk);
  turn(100);
  EXPECT_EQ(service_->next_deadline(), now_ + Time(10));
  now_ += Time(10);
  turn(100);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(service_->next_deadline(), now_ + Time(kLongNs - 10));
  turn(100);
  EXPECT_EQ(memory.count_logs("the journal of degraded answers cannot be written"), 1U);
  service_.reset();
}

// missing_copies = degrade, with two copies by default.
class DegradeTest : public TransferServiceTest {
 protected:
  DegradeTest() {
    core::AckPolicy policy{2, 1, 1000, false, 8, 1, 0, true};
    service_ = std::make_unique<TransferService>(
        metrics_, policy, 100, [] {}, &keeper_);
    service_->set_master(true);
    service_->set_degrade_after(kAfter);
  }
  ~DegradeTest() override { service_.reset(); }

  // Waits are over due: it is as late as it has to be.
  void turn_late(std::int64_t log_end) {
    turn(log_end);
    now_ += kAfter;
    turn(log_end);
  }
  const core::DegradedRange* open() const { return keeper_.journal().open(); }

  static constexpr Time kAfter{10};
  testing::MemoryHost memory_;
  const Host host_{memory_.api(), &memory_};
  testing::StateDir state_;
  const Settings settings_ = [this] {
    Settings settings;
    settings.state_dir = state_.path();
    settings.degraded_hold_ms = 0;
    return settings;
  }();
  DegradedKeeper keeper_{host_, settings_, metrics_};
};

TEST_F(DegradeTest, AMasterThatLeavesAnswersNothingBelowPolicyAnyMore) {
  ASSERT_EQ(wait(100, 2), Status::kOk);
  service_->stop_degraded_answers();
  turn_late(100);
  EXPECT_TRUE(ended_.empty());
  service_->set_master(true);  // it is master again
  turn_late(100);
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].status, HA_OK);
}

TEST_F(DegradeTest, TheRangeBeginsWhereEnoughCopiesHeldTheLog) {
  service_->join(1, "b", Offset(80));
  turn(90);
  service_->leave(1);
  ASSERT_EQ(wait(100, 2), Status::kOk);
  turn_late(120);
  ASSERT_EQ(ends(), std::vector<std::int64_t>{100});
  ASSERT_NE(open(), nullptr);
  EXPECT_EQ(open()->from, Offset(80));
}

// Option coordinator: the other side of a cut network may have a master that answers so too.
TEST_F(DegradeTest, NothingIsAnsweredOnceTheLeaseHasEnded) {
  service_->set_degrade_until(net::boottime_now());
  ASSERT_EQ(wait(50, 2), Status::kOk);
  turn_late(100);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(open(), nullptr);
  service_->set_degrade_until(net::boottime_now() + std::chrono::hours(1));
  turn(100);
  EXPECT_EQ(ends(), std::vector<std::int64_t>{50});
}

// The default promises two copies. Who asks for three, or for durable ones, is told the truth.
TEST_F(DegradeTest, WhoAsksForMoreThanTheDefaultWaitsOn) {
  service_->join(1, "b", Offset(0), Offset(0));
  ASSERT_EQ(wait(50, 3, 1000), Status::kOk);
  ASSERT_EQ(wait(60, 2, 1000, HA_DURABILITY_DURABLE), Status::kOk);
  turn_late(100);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(open(), nullptr) << "nothing was answered";
  ASSERT_EQ(wait(70, 2), Status::kOk);
  turn(100);
  EXPECT_TRUE(ended_.empty()) << "this one has not waited yet";
  EXPECT_EQ(service_->next_deadline(), now_ + kAfter);
  now_ += kAfter;
  turn(100);
  EXPECT_EQ(ends(), std::vector<std::int64_t>{70});
  now_ += Time(1000);
  turn(100);
  ASSERT_EQ(ended_.size(), 3U);
  EXPECT_EQ(ended_[1].status, HA_FLUSH_SLAVE_TIMEOUT);
  EXPECT_EQ(ended_[2].status, HA_FLUSH_SLAVE_TIMEOUT);
}

// Until a save succeeds nobody knows which of the two journals is on disk.
TEST_F(DegradeTest, AHealThatCouldNotBeWrittenDoesNotCount) {
  ASSERT_EQ(wait(100, 2), Status::kOk);
  turn_late(100);
  ASSERT_NE(open(), nullptr);
  const std::string in_the_way = state_.path() + "/ha_degraded.json.tmp";
  std::filesystem::create_directory(in_the_way);
  service_->join(1, "b", Offset(100));
  turn(100);
  EXPECT_NE(open(), nullptr);
  service_->leave(1);
  ended_.clear();
  ASSERT_EQ(wait(110, 2), Status::kOk);
  turn_late(110);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(memory_.count_logs("the journal of degraded answers cannot be written"), 1U);
  std::filesystem::remove(in_the_way);
  turn(110);
  EXPECT_TRUE(ended_.empty()) << "a disk that says no is not asked each turn";
  now_ += std::chrono::seconds(1);
  turn(110);
  EXPECT_EQ(ends(), std::vector<std::int64_t>{110});
  DegradedState kept;
  EXPECT_EQ(parse_degraded(state_.read("ha_degraded.json"), kept), "");
  EXPECT_EQ(kept.ranges, keeper_.journal().ranges());
}

}  // namespace
}  // namespace ha
