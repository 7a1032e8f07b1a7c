// SPDX-License-Identifier: Apache-2.0
// Roles change while producers run.
#include <gtest/gtest.h>

#include <utility>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/load.h"

namespace ha::system {
namespace {

using RoleChange = Cluster;

TEST_F(RoleChange, WritesOnASlaveAreRefusedWithTheMastersAddress) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  const HttpResponse refused = slave.produce("T", "x", "1");
  EXPECT_EQ(refused.status, 421);
  EXPECT_EQ(text_at(refused.document(), "error/code"), "NOT_MASTER");
  EXPECT_NE(text_at(refused.document(), "error/message").find(master.ha()), std::string::npos)
      << refused.body;
  EXPECT_EQ(consume_all(slave, "T"), "");
}

TEST_F(RoleChange, EveryProducerIsAnsweredOnceWhileRolesGoBackAndForth) {
  Node& a = add_master({}, "a");
  Node& b = add_slave(a, "b");
  a.wait_for_replicas(1);
  // Both are produced into all the time; the one that is a slave refuses.
  Load into_a(a);
  Load into_b(b, {.topic = "U"});
  Node* master = &a;
  Node* slave = &b;
  constexpr int kSwitches = 4;
  constexpr int kTries = 60;
  int switches = 0;
  for (int tries = 0; switches < kSwitches && tries < kTries; ++tries) {
    Load& load = master == &a ? into_a : into_b;
    load.wait_for_more(100);
    // A switch that an operator plans: the old master stops taking writes first.
    const Outcome stepped_down =
        stub({"follow", "--broker", master->url(), "--master", "127.0.0.1:1"});
    EXPECT_EQ(stepped_down.exit_code, 0) << stepped_down.errors;
    EXPECT_EQ(master->produce("T", "too late", "1").status, 421);
    // What was not acknowledged may be on the old master alone. Then it takes its role back until
    // the slave has fetched it.
    if (master->log_end() > slave->log_end()) {
      promote(*master);
      slave->wait_for_end_of(*master);
      continue;
    }
    promote(*slave);
    follow(*master, *slave);
    slave->wait_for_replicas(1);
    std::swap(master, slave);
    ++switches;
  }
  EXPECT_EQ(switches, kSwitches);
  into_a.stop();
  into_b.stop();
  slave->wait_for_end_of(*master);
  EXPECT_EQ(missing_or_doubled(into_a.acknowledged(), consume_all(*slave, "T")), "");
  EXPECT_EQ(missing_or_doubled(into_b.acknowledged(), consume_all(*slave, "U")), "");
  for (const Load* load : {&into_a, &into_b}) {
    for (const auto& [code, count] : load->answers()) {
      EXPECT_TRUE(code == "OK" || code == "NOT_MASTER" || code == "SLAVE_NOT_AVAILABLE")
          << count << " answers were " << code;
    }
  }
  for (const Node* node : {&a, &b}) {
    EXPECT_EQ(number_at(node->status(), "ha/waits/pending"), 0) << node->name();
  }
  EXPECT_EQ(compare_logs(a.store(), b.store(), 0, master->log_end(), a.segment_size()), "");
}

TEST_F(RoleChange, WaitsThatArePendingEndWhenTheMasterStepsDown) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  const auto load = four_waits(master, slave);
  const Outcome stepped_down =
      stub({"follow", "--broker", master.url(), "--master", "127.0.0.1:1"});
  EXPECT_EQ(stepped_down.exit_code, 0) << stepped_down.errors;
  wait_until("all four are answered",
             [&] { return number_at(master.status(), "ha/waits/pending") == 0; });
  load->stop();
  EXPECT_EQ(load->answers().size(), 1u);
  EXPECT_GE(load->answers().count("NOT_MASTER"), 1u);
  EXPECT_EQ(number_at(master.status(), "ha/waits/results/NOT_MASTER") >= 4, true);
  slave.resume();
}

}  // namespace
}  // namespace ha::system
