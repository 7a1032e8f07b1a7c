// SPDX-License-Identifier: Apache-2.0
// Scheduled messages move with the role.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"

namespace ha::system {
namespace {

using Schedule = Cluster;

HttpResponse produce_later(const Node& node, const std::string& body, std::int64_t delay_ms) {
  return node.produce("T", body, "2", "&delay_ms=" + std::to_string(delay_ms));
}

void wait_for_lines(const Node& node, std::size_t count) {
  wait_until(
      node.name() + " serves " + std::to_string(count) + " lines",
      [&] { return split_lines(consume_all(node, "T")).size() >= count; },
      [&] { return consume_all(node, "T"); });
}

TEST_F(Schedule, MessageDueAfterTheMastersDeathIsDeliveredOnceByItsHeir) {
  Node& master = add_master();
  Node& heir = add_slave(master, "heir");
  Node& other = add_slave(master, "other");
  master.wait_for_replicas(2);
  // One is delivered and on both slaves before the master dies, one is due long after.
  ASSERT_EQ(produce_later(master, "soon", 100).status, 200);
  wait_for_lines(heir, 1);
  wait_for_lines(other, 1);
  constexpr std::int64_t kLater = 6000;
  ASSERT_EQ(produce_later(master, "later", kLater).status, 200);
  heir.wait_for_end_of(master);
  other.wait_for_end_of(master);
  master.kill();
  EXPECT_EQ(consume_all(heir, "T"), "soon\n") << "not due yet, and a slave delivers nothing";
  promote(heir);
  follow(other, heir);
  wait_for_lines(heir, 2);
  // A message that was delivered twice would show no later than one produced now and scheduled by
  // the same clock.
  ASSERT_EQ(produce_later(heir, "last", 300).status, 200);
  wait_for_lines(heir, 3);
  EXPECT_EQ(consume_all(heir, "T"), "soon\nlater\nlast\n");
  other.wait_for_end_of(heir);
  EXPECT_EQ(consume_all(other, "T"), "soon\nlater\nlast\n");
}

TEST_F(Schedule, RestartedMasterDeliversWhatWasDueMeanwhileAndNothingTwice) {
  Node& master = add_master();
  add_slave(master, "slave");
  master.wait_for_replicas(1);
  ASSERT_EQ(produce_later(master, "soon", 100).status, 200);
  wait_for_lines(master, 1);
  ASSERT_EQ(produce_later(master, "due while it is down", 1000).status, 200);
  master.kill();
  master.start();
  master.wait_for_replicas(1);
  wait_for_lines(master, 2);
  ASSERT_EQ(produce_later(master, "last", 300).status, 200);
  wait_for_lines(master, 3);
  EXPECT_EQ(consume_all(master, "T"), "soon\ndue while it is down\nlast\n");
}

}  // namespace
}  // namespace ha::system
