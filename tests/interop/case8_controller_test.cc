// SPDX-License-Identifier: Apache-2.0
// Case 8: RocketMQ 5 controller mode. Two real brokers under a real controller; our node learns
// from whichever is master (wire rocketmq-autoswitch), through an election and a truncation, and
// never becomes a member of the sync state set.

#include "tests/interop/interop.h"
#include "tests/system/command.h"
#include "tests/system/deadline.h"
#include "tests/system/lines.h"
#include "tests/system/tcp.h"

namespace ha::interop {
namespace {

using system::Node;
using system::wait_until;

class Case8Controller : public Interop {
 protected:
  // A controller inside the name server, and a broker that waits for its orders.
  void start_controller() {
    const std::string port = std::to_string(free_ports(1));
    controller_ = "127.0.0.1:" + port;
    start_name_server({{"enableControllerInNamesrv", "true"},
                       {"controllerDLegerGroup", "g"},
                       {"controllerDLegerPeers", "n0-" + controller_},
                       {"controllerDLegerSelfId", "n0"},
                       {"controllerStorePath", (folder_ / "controller").string()}});
  }
  Broker& add_member(const std::string& name) {
    return add_broker({.name = name,
                       .id = -1,
                       .role = "SLAVE",
                       .more = {{"enableControllerMode", "true"},
                                {"controllerAddr", controller_},
                                {"allAckInSyncStateSet", "true"},
                                {"brokerHeartbeatInterval", "500"},
                                {"syncBrokerMetadataPeriod", "1000"},
                                {"checkSyncStateSetPeriod", "1000"},
                                {"slaveTimeout", "2000"},
                                // Stopped members stay in the set for the length of a test.
                                {"haMaxTimeSlaveNotCatchup", "120000"},
                                {"haHousekeepingInterval", "60000"},
                                {"controllerHeartBeatTimeoutMills", "3000"}}});
  }
  Node& add_learner(const Broker& master) {
    return add_our_slave("learner", master, {"wire=rocketmq-autoswitch"});
  }
  bool is_master(const Broker& broker) {
    return system::flag_at(driver().ha_status(broker), "master");
  }
  // Members, the master included, as the master sees them.
  std::int64_t members(const Broker& master) {
    return system::number_at(driver().ha_status(master), "inSyncSlaveNums") + 1;
  }
  void wait_for_master(const Broker& broker) {
    wait_until(
        broker.name() + " is master", [&] { return is_master(broker); }, {}, kJavaDeadline);
  }
  void wait_for_members(const Broker& master, std::int64_t count) {
    wait_until(
        "the set has " + std::to_string(count) + " members",
        [&] { return members(master) == count; }, {}, kJavaDeadline);
  }
  static void follow(const Node& learner, const Broker& master) {
    const auto done = system::stub({"follow", "--broker", learner.url(), "--master", master.ha()});
    EXPECT_EQ(done.exit_code, 0) << done.errors;
  }

  std::string controller_;
  int probes_ = 0;
};

TEST_P(Case8Controller, OurLearnerFollowsThroughAnElectionAndATruncation) {
  start_controller();
  Broker& first = add_member("b1");
  wait_for_master(first);
  create_topic(first, "T", 4);
  produce({.count = 2000});  // before anybody else is there
  Broker& second = add_member("b2");
  wait_for_members(first, 2);
  Node& learner = add_learner(first);
  produce({.from = 2000, .count = 2000});
  ASSERT_GT(driver().max_offset(first), kSegmentBytes);
  expect_copy(first, learner);
  EXPECT_EQ(learner.log_min(), 0);  // all of it, not the last file only
  const Manifest confirmed = driver().produced();
  wait_until("the learner's readers see all that is confirmed",
             [&] { return read_from(learner, "T", 4) == confirmed; });
  EXPECT_EQ(members(first), 2);

  // The second member stops: what is written now is confirmed by nobody else. The learner holds it
  // and shows it to no reader.
  second.suspend();
  const auto outcomes = driver().produce(
      name_server().address(), {.prefix = "unconfirmed", .count = 20, .max = 4096, .threads = 4});
  EXPECT_EQ(outcomes, (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 20}}));
  expect_copy(first, learner);
  EXPECT_EQ(difference(confirmed, read_from(learner, "T", 4)), "");

  // The master dies; the second member, which never had those messages, is elected.
  first.kill();
  second.resume();
  wait_for_master(second);
  const std::int64_t cut = driver().max_offset(second);
  ASSERT_LT(cut, learner.log_end());
  follow(learner, second);
  learner.wait_for("was cut back to the new master's log", [&](const json::value& now) {
    return system::number_at(now, "ha/bounds/end") == cut;
  });
  wait_until("producers find the new master", [&] {
    return driver()
        .produce(name_server().address(), {.prefix = "probe-" + std::to_string(probes_++)})
        .contains("SEND_OK");
  });
  produce({.prefix = "second", .count = 500});
  expect_copy(second, learner);

  // The old master comes back as a slave, and is cut too; then all three are the same.
  first.start();
  wait_for_members(second, 2);
  produce({.prefix = "third", .count = 100});
  expect_copy(second, learner);
  wait_until("the returned member has it all",
             [&] { return driver().max_offset(first) == driver().max_offset(second); });
  EXPECT_EQ(
      system::compare_logs(first.store(), learner.store(), 0, learner.log_end(), kSegmentBytes),
      "");
  EXPECT_EQ(members(second), 2);
  EXPECT_EQ(system::verify(learner.store()), "");

  // Killed and restarted, it knows its epochs again.
  learner.kill();
  produce({.prefix = "fourth", .count = 100});
  learner.start();
  expect_copy(second, learner);
}

// What our own protocol opens with: an unknown state to this mode, which ends the connection and
// nothing else.
TEST_P(Case8Controller, AReportOfMinusOneEndsTheConnection) {
  start_controller();
  Broker& master = add_member("b1");
  wait_for_master(master);
  create_topic(master, "T", 1);
  produce({.count = 10, .max = 100, .threads = 1});
  const std::int64_t end = driver().max_offset(master);
  system::Tcp peer(system::parse_address(master.ha()));
  peer.send(std::string(16, '\xff'));
  EXPECT_EQ(peer.receive(), "");
  EXPECT_EQ(driver().max_offset(master), end);
  EXPECT_TRUE(is_master(master));
  produce({.prefix = "on", .count = 10, .max = 100, .threads = 1});
}

HA_INTEROP_SUITE_WITH(Case8Controller, testing::ValuesIn(kControllerVersions));

}  // namespace
}  // namespace ha::interop
