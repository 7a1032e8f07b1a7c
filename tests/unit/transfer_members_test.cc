// SPDX-License-Identifier: Apache-2.0
// Waits while the set changes: n copies are n of the old nodes and n of the new ones.
#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"
#include "tests/unit/transfer_fixture.h"

namespace ha {
namespace {

class TransferMembersTest : public TransferServiceTest {
 protected:
  void make_joint(const std::string& master, core::MemberGroup old, core::MemberGroup next) {
    make({2, 1, 1000, false, 8, 2});
    service_->set_members({2, std::move(old), std::move(next)}, master);
  }
  void join(std::uint64_t connection, const std::string& id, std::int64_t ack) {
    service_->join(connection, id, Offset(ack), Offset(ack));
  }
  bool ended() {
    turn(1000, 1000);
    return !ended_.empty();
  }
};

TEST_F(TransferMembersTest, ACopyOnANodeThatLeavesIsNotOneOfTheNewSet) {
  make_joint("a", {{"a", "b", "c", "d"}, 2}, {{"a", "b", "c"}, 2});
  join(1, "d", 1000);
  join(2, "c", 900);
  for (const std::int32_t durability : {HA_DURABILITY_RECEIVED, HA_DURABILITY_DURABLE}) {
    EXPECT_EQ(wait(1000, 2, kLongNs, durability), Status::kOk);
  }
  EXPECT_FALSE(ended());
  service_->ack(2, Offset(1000), Offset(1000));
  turn(1000, 1000);
  EXPECT_EQ(ended_.size(), 2u);
}

TEST_F(TransferMembersTest, AllInSyncIsOfBothGroups) {
  make_joint("a", {{"a", "b", "c", "d"}, 2}, {{"a", "b", "c"}, 2});
  join(1, "d", 1000);
  join(2, "c", 900);
  for (const std::int32_t durability : {HA_DURABILITY_RECEIVED, HA_DURABILITY_DURABLE}) {
    EXPECT_EQ(wait(1000, HA_ACKS_ALL_IN_SYNC, kLongNs, durability), Status::kOk);
  }
  EXPECT_FALSE(ended());
  service_->ack(2, Offset(1000), Offset(1000));
  turn(1000, 1000);
  EXPECT_EQ(ended_.size(), 2u);
}

TEST_F(TransferMembersTest, AMasterThatLeavesIsNotACopyOfTheNewSet) {
  make_joint("d", {{"a", "b", "d"}, 2}, {{"a", "b"}, 2});
  join(1, "a", 1000);
  join(2, "b", 900);
  for (const std::int32_t durability : {HA_DURABILITY_RECEIVED, HA_DURABILITY_DURABLE}) {
    EXPECT_EQ(wait(1000, 2, kLongNs, durability), Status::kOk);
    EXPECT_EQ(wait(1000, HA_ACKS_ALL_IN_SYNC, kLongNs, durability), Status::kOk);
  }
  EXPECT_FALSE(ended());
  service_->ack(2, Offset(1000), Offset(1000));
  turn(1000, 1000);
  EXPECT_EQ(ended_.size(), 4u);
}

TEST_F(TransferMembersTest, WhatIsHeldNowIsDurableToo) {
  make_joint("a", {{"a", "b"}, 2}, {{"a", "b", "c"}, 2});
  join(1, "b", 1000);
  turn(1000, 1000);
  service_->ack(1, Offset(1500), Offset(1200));
  turn(1500, 1500);
  EXPECT_EQ(service_->held_now(Offset(1500), false), Offset(1500));
  EXPECT_EQ(service_->held_now(Offset(1500), true), Offset(1200));
}

TEST_F(TransferMembersTest, AWaitGoesOnByTheSetThatComes) {
  make({2, 1, 1000, false, 8, 2});
  service_->set_members({1, {{"a", "b"}, 2}}, "a");
  join(1, "b", 0);
  join(2, "c", 1000);
  EXPECT_EQ(wait(1000, 2), Status::kOk);
  EXPECT_FALSE(ended()) << "c only follows";
  service_->set_members({2, {{"a", "b"}, 2}, {{"a", "b", "c"}, 2}}, "a");
  EXPECT_FALSE(ended());
  service_->set_members({3, {{"a", "b", "c"}, 2}}, "a");
  EXPECT_TRUE(ended());
}

}  // namespace
}  // namespace ha
