// SPDX-License-Identifier: Apache-2.0
// Either side dies in the middle of the stream and comes back with its store.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/load.h"

namespace ha::system {
namespace {

using Crash = Cluster;

TEST_F(Crash, KilledSlaveCatchesUpAndItsSegmentsAreTheMasters) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  Node& other = add_slave(master, "other");
  master.wait_for_replicas(2);
  Load load(master);
  for (int round = 0; round < 3; ++round) {
    load.wait_for_more(4000);
    slave.kill();
    load.wait_for_more(4000);
    slave.start();
    master.wait_for_replicas(2);
  }
  load.stop();
  slave.wait_for_end_of(master);
  other.wait_for_end_of(master);
  const std::int64_t end = master.log_end();
  EXPECT_GE(segments(slave.store()).size(), 4u) << "too little for segments to have rolled";
  EXPECT_EQ(compare_logs(master.store(), slave.store(), 0, end, master.segment_size()), "");
  EXPECT_EQ(compare_logs(master.store(), other.store(), 0, end, master.segment_size()), "");
  EXPECT_EQ(missing_or_doubled(load.acknowledged(), consume_all(slave, "T")), "");
}

// By request, and where the plugin is told that durable is what everybody means.
TEST_F(Crash, ADurableAnswerIsForWhatIsOnTheDisk) {
  // The host's own words: the plugin hears of an append a moment later.
  const auto on_disk = [](Node& node) { return number_at(node.status(), "bounds/durable"); };
  const auto end = [](Node& node) { return number_at(node.status(), "bounds/end"); };
  NodeOptions seldom{.name = "seldom", .more = {"--flush-interval-ms", "60000"}};
  Node& by_request = add(seldom);
  ASSERT_EQ(by_request.produce("T", "any", "1").status, 200);
  EXPECT_LT(on_disk(by_request), end(by_request));
  ASSERT_EQ(by_request.produce("T", "durable", "1", "&durability=durable").status, 200);
  EXPECT_EQ(on_disk(by_request), end(by_request));

  seldom.name = "always";
  seldom.options = {"default_durability=durable"};
  Node& always = add(seldom);
  for (const char* acks : {"1", "default"}) {
    ASSERT_EQ(always.produce("T", "durable", acks).status, 200);
    EXPECT_EQ(on_disk(always), end(always)) << acks;
  }
  ASSERT_EQ(always.produce("T", "any", "1", "&durability=received").status, 200);
  EXPECT_LT(on_disk(always), end(always));
}

TEST_F(Crash, KilledMasterHoldsEverythingAcknowledgedAndItsSlaveResumes) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  Load load(master);
  for (int round = 0; round < 3; ++round) {
    load.wait_for_more(4000);
    master.kill();
    EXPECT_EQ(verify(master.store()), "");
    master.start();
    master.wait_for_replicas(1);
  }
  load.wait_for_more(100);
  load.stop();
  EXPECT_EQ(missing_or_doubled(load.acknowledged(), consume_all(master, "T")), "");
  slave.wait_for_end_of(master);
  EXPECT_EQ(compare_logs(master.store(), slave.store(), 0, master.log_end(), master.segment_size()),
            "");
}

TEST_F(Crash, PairThatDiesTogetherGoesOnTogether) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  Load load(master);
  load.wait_for_more(4000);
  master.kill();
  slave.kill();
  load.stop();
  EXPECT_EQ(verify(master.store()), "");
  EXPECT_EQ(verify(slave.store()), "");
  slave.start();  // first, so that it has to try until the master is there
  master.start();
  master.wait_for_replicas(1);
  EXPECT_EQ(master.produce("T", "after", "2").status, 200);
  slave.wait_for_end_of(master);
  const std::string lines = consume_all(slave, "T");
  EXPECT_EQ(missing_or_doubled(load.acknowledged(), lines), "");
  EXPECT_TRUE(lines.ends_with("after\n"));
  EXPECT_EQ(compare_logs(master.store(), slave.store(), 0, master.log_end(), master.segment_size()),
            "");
}

TEST_F(Crash, AnAnsweredOffsetIsThereAfterTheKill) {
  Node& node = add_master();
  const std::string offset = "/v1/groups/g/topics/T/queues/0/offset";
  for (int next = 1; next <= 4; ++next) {
    ASSERT_EQ(node.produce("T", "x", "1", "&queue=0").status, 200);
    ASSERT_EQ(node.http().put(offset, "{\"next\":" + std::to_string(next) + "}").status, 200);
    node.kill();
    node.start();
    EXPECT_EQ(number_at(node.http().get(offset).document(), "next"), next);
  }
}

TEST_F(Crash, BothEndCleanlyAndStoresAreWhole) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  ASSERT_EQ(master.produce("T", "one", "2").status, 200);
  EXPECT_EQ(master.terminate(), 0);
  EXPECT_EQ(slave.terminate(), 0);
  EXPECT_EQ(verify(master.store()), "");
  EXPECT_EQ(verify(slave.store()), "");
  master.start();
  slave.start();
  master.wait_for_replicas(1);
  ASSERT_EQ(master.produce("T", "two", "2").status, 200);
  EXPECT_EQ(consume_all(slave, "T"), "one\ntwo\n");
}

}  // namespace
}  // namespace ha::system
