// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/ack_groups.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

class AckGroupsTest : public ::testing::Test {
 protected:
  AckGroupsTest() {
    acks_.join(1, "b", Offset(100));
    acks_.join(2, "c", Offset(200));
    acks_.join(3, "d", Offset(300));
  }
  AckGroups acks_;
};

TEST_F(AckGroupsTest, WithoutGroupsEverybodyCounts) {
  EXPECT_EQ(acks_.replicas(), 3);
  EXPECT_EQ(acks_.held_by(2), Offset(300));
  EXPECT_EQ(acks_.held_by(4), Offset(100));
  EXPECT_EQ(acks_.held_by(5), kNoOffset);
}

TEST_F(AckGroupsTest, WhoIsInNoGroupDoesNotCount) {
  acks_.set_groups({{{"a", "b", "c"}}});
  EXPECT_EQ(acks_.replicas(), 2);
  EXPECT_EQ(acks_.held_by(2), Offset(200));
  EXPECT_EQ(acks_.ack_of("d"), Offset(300)) << "it is known";
  acks_.ack(3, Offset(400));
  EXPECT_EQ(acks_.held_by(2), Offset(200));
}

TEST_F(AckGroupsTest, CopiesAreOfEachGroup) {
  acks_.set_groups({{{"a", "b"}}, {{"a", "c", "d"}}});
  EXPECT_EQ(acks_.held_by(2), Offset(100));
  EXPECT_EQ(acks_.replicas(), 1);
  EXPECT_EQ(acks_.held_by(3), kNoOffset) << "the first group has two nodes";
  acks_.ack(1, Offset(250));
  EXPECT_EQ(acks_.held_by(2), Offset(250));
  acks_.leave(3);
  EXPECT_EQ(acks_.held_by(2), Offset(200));
  acks_.join(4, "d", Offset(500));
  EXPECT_EQ(acks_.held_by(2), Offset(250));
}

TEST_F(AckGroupsTest, AMasterOutsideAGroupIsNotACopyOfIt) {
  acks_.set_groups({{{"a", "b", "c", "d"}}, {{"b", "c", "d"}, false}});
  EXPECT_EQ(acks_.held_by(2), Offset(200)) << "c and d";
  EXPECT_EQ(acks_.held_by(3), Offset(100));
  EXPECT_EQ(acks_.replicas(), 2);
  const auto changed = acks_.ack(2, Offset(600));
  EXPECT_LE(changed.first, 2);
  EXPECT_EQ(acks_.held_by(2), Offset(300));
}

TEST_F(AckGroupsTest, GroupsEnd) {
  acks_.set_groups({{{"a", "b"}}});
  acks_.ack(2, Offset(700));
  acks_.set_groups({});
  EXPECT_EQ(acks_.held_by(2), Offset(700));
}

}  // namespace
}  // namespace ha::core
