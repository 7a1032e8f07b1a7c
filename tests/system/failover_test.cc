// SPDX-License-Identifier: Apache-2.0
// The main job: a master dies and nothing that was acknowledged goes with it.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/load.h"

namespace ha::system {
namespace {

using Failover = Cluster;

constexpr std::size_t kLines = 20'000;

TEST_F(Failover, SlaveServesEveryAcknowledgedLineAfterTheMasterIsKilled) {
  const std::string lines = real_lines(kLines);
  const auto file = write_file(folder_ / "lines", lines);
  Node& master = add_master();
  Node& first = add_slave(master, "first");
  Node& second = add_slave(master, "second");
  master.wait_for_replicas(2);

  const Produced produced = produce_file(master, "T", "2", file, {"--timeout-ms", "20000"});
  EXPECT_EQ(produced.exit_code, 0) << produced.errors;
  EXPECT_EQ(produced.sent, static_cast<std::int64_t>(split_lines(lines).size()));
  EXPECT_EQ(produced.acked, produced.sent);
  EXPECT_EQ(produced.failed, 0);
  // Acknowledged by one slave; the other may be a moment behind.
  first.wait_for_end_of(master);
  second.wait_for_end_of(master);
  EXPECT_TRUE(consume_all(first, "T") == lines) << "the first slave's lines are not the file's";

  master.kill();
  EXPECT_TRUE(consume_all(first, "T") == lines) << "not after the master's death";
  EXPECT_TRUE(consume_all(second, "T") == lines) << "not after the master's death";

  promote(first);
  follow(second, first);
  first.wait_for_replicas(1);
  const Produced more = produce_file(first, "T", "2", file, {"--timeout-ms", "20000"});
  EXPECT_EQ(more.exit_code, 0) << more.errors;
  EXPECT_EQ(more.acked, produced.sent);
  second.wait_for_end_of(first);
  EXPECT_TRUE(consume_all(second, "T") == lines + lines) << "not after the failover";
}

// On a slave that has the last segment only: offsets mean the same there.
TEST_F(Failover, AConsumerGroupGoesOnWhereItStood) {
  constexpr int kMessages = 3000;  // of 1 KB, in segments of 1 MiB
  Node& master = add_master();
  std::string lines;
  for (int i = 0; i < kMessages; ++i) {
    lines += "line " + std::to_string(i) + " " + std::string(1000, '.') + "\n";
  }
  const auto stored =
      master.http().post("/v1/topics/T/messages?lines=1&queue=0&acks=1", lines, "text/plain");
  ASSERT_EQ(stored.status, 200) << stored.body;
  Node& slave = add_slave(master, "slave");
  slave.wait_for_end_of(master);
  const std::string offset = "/v1/groups/g/topics/T/queues/0/offset";
  const auto stands_at = [&](Node& node) {
    return number_at(node.http().get(offset).document(), "next");
  };
  const auto on_slave = slave.http().get("/v1/topics/T/messages?queue=0&max=1").document();
  EXPECT_EQ(number_at(on_slave, "end"), kMessages);
  EXPECT_GT(number_at(on_slave, "first"), 0);
  const std::string next_on_master = std::to_string(kMessages - 7);
  ASSERT_EQ(master.http().put(offset, "{\"next\":" + next_on_master + "}").status, 200);
  wait_until("the group's offset is on the slave",
             [&] { return stands_at(slave) == kMessages - 7; });
  master.kill();
  promote(slave);
  const HttpResponse next = slave.http().get("/v1/topics/T/messages?group=g&queue=0&max=1");
  EXPECT_NE(next.body.find("line " + next_on_master + " "), std::string::npos)
      << next.body.substr(0, 200);
}

TEST_F(Failover, ACommitOnASlaveWhoseMasterIsAwayIsHandedUp) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(master.produce("T", "m", "2", "&queue=0").status, 200);
  }
  const std::string offset = "/v1/groups/g/topics/T/queues/0/offset";
  const auto stands_at = [&](Node& node) {
    return number_at(node.http().get(offset).document(), "next");
  };
  const auto pending = [&] { return number_at(slave.status(), "groups/pending"); };
  ASSERT_EQ(master.http().put(offset, R"({"next":10})").status, 200);
  wait_until("the group's offset is on the slave", [&] { return stands_at(slave) == 10; });
  const HttpResponse refused = slave.http().put(offset, R"({"next":50})");
  EXPECT_EQ(refused.status, 421);
  EXPECT_NE(refused.body.find(master.ha()), std::string::npos) << refused.body;

  master.kill();
  wait_until("the slave takes the commit",
             [&] { return slave.http().put(offset, R"({"next":100})").status == 200; });
  EXPECT_EQ(stands_at(slave), 100);
  EXPECT_EQ(pending(), 1);
  slave.kill();
  slave.start();
  EXPECT_EQ(stands_at(slave), 100);
  EXPECT_EQ(pending(), 1);
  master.start();
  wait_until("the master has the commit", [&] { return stands_at(master) == 100; });
  wait_until("the slave has heard so", [&] { return pending() == 0; });
  EXPECT_EQ(stands_at(slave), 100);
}

TEST_F(Failover, PromotionIsRefusedWhereAPeerHoldsMoreAndNamesIt) {
  Node& master = add_master();
  Node& fuller = add_slave(master, "fuller");
  Node& emptier = add_slave(master, "emptier");
  master.wait_for_replicas(2);
  ASSERT_EQ(master.produce("T", "on both", "3").status, 200);
  emptier.kill();
  ASSERT_EQ(master.produce("T", "on one only", "2").status, 200);
  master.kill();
  emptier.start();

  const Outcome refused =
      stub({"promote", "--broker", emptier.url(), "--peers", master.url() + "," + fuller.url()});
  EXPECT_NE(refused.exit_code, 0);
  const std::string port = fuller.url().substr(fuller.url().rfind(':'));
  EXPECT_NE(refused.errors.find(port), std::string::npos)
      << "the peer that holds more is not named: " << refused.errors;
  EXPECT_EQ(text_at(emptier.status(), "ha/role"), "slave");

  const Outcome granted = stub({"promote", "--broker", fuller.url(), "--peers", emptier.url()});
  EXPECT_EQ(granted.exit_code, 0) << granted.errors;
  EXPECT_EQ(text_at(fuller.status(), "ha/role"), "master");
  follow(emptier, fuller);
  emptier.wait_for_end_of(fuller);
  EXPECT_EQ(consume_all(emptier, "T"), "on both\non one only\n");
}

TEST_F(Failover, MasterKilledUnderLoadLosesNothingThatWasAcknowledged) {
  Node& master = add_master();
  Node& first = add_slave(master, "first");
  Node& second = add_slave(master, "second");
  master.wait_for_replicas(2);
  Load load(master, {.acks = "3"});
  load.wait_for_more(3000);
  master.kill();
  load.stop();
  // Each holds all that was acknowledged; one may hold a little more, and that one takes over.
  Node& heir = first.log_end() >= second.log_end() ? first : second;
  Node& other = &heir == &first ? second : first;
  promote(heir);
  follow(other, heir);
  heir.wait_for_replicas(1);
  ASSERT_EQ(heir.produce("T", "after", "2").status, 200);
  other.wait_for_end_of(heir);
  for (const Node* node : {&first, &second}) {
    const std::string lines = consume_all(*node, "T");
    EXPECT_EQ(missing_or_doubled(load.acknowledged(), lines), "") << node->name();
    EXPECT_TRUE(lines.ends_with("after\n")) << node->name();
  }
}

TEST_F(Failover, OldMasterComesBackWithAnEmptyStoreAndHoldsEverything) {
  Node& old_master = add_master();
  Node& heir = add_slave(old_master, "heir", {"bootstrap=earliest"});
  old_master.wait_for_replicas(1);
  const auto file = write_file(folder_ / "lines", numbered_lines("l", 6000, 400));
  ASSERT_EQ(produce_file(old_master, "T", "2", file).exit_code, 0);
  old_master.kill();
  promote(heir);
  std::filesystem::remove_all(old_master.store());
  old_master.start_as("slave", heir.ha());
  old_master.wait_for_end_of(heir);
  EXPECT_EQ(consume_all(old_master, "T"), consume_all(heir, "T"));
  EXPECT_EQ(compare_logs(heir.store(), old_master.store(), 0, heir.log_end(), heir.segment_size()),
            "");
}

}  // namespace
}  // namespace ha::system
