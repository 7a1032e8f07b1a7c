// SPDX-License-Identifier: Apache-2.0
// Case 6: what old or oddly configured brokers do.

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"

namespace ha::interop {
namespace {

using system::Clock;
using system::Node;
using system::wait_until;

// 4 MiB with the header is all that a real slave's buffer holds.
constexpr const char* kLargestBatch = "4194292";
constexpr std::chrono::seconds kIdle{60};

class Case6OldQuirks : public Interop {
 protected:
  // Watches an idle pair for a minute: not one connection ends, none is refused.
  void expect_idle_peace(const Node& master) {
    const auto address = system::text_at(master.status(), "ha/replicas/0/address");
    const auto end = Clock::now() + kIdle;
    wait_until(
        "a minute is over or the pair has parted",
        [&] { return Clock::now() >= end || master.connected_replicas() != 1; }, {}, 2 * kIdle);
    EXPECT_EQ(master.connected_replicas(), 1);
    EXPECT_EQ(system::text_at(master.status(), "ha/replicas/0/address"), address);
    EXPECT_EQ(system::metric(master.metrics(), "ha_connections_accepted_total"), 1);
  }
};

// 5.x reports for the first time 5 s after its start, 4.x 5 s after every connect; both then follow
// at once. All timers are everybody's own.
TEST_P(Case6OldQuirks, ALateFirstReportIsAwaitedAndAnIdlePairStaysTogether) {
  Node& master = add({.name = "ours", .role = "master", .segment_size = kSegmentBytes});
  register_our_master(master, "T", 4);
  add_broker({.id = 1,
              .role = "SLAVE",
              .more = {{"haSendHeartbeatInterval", "5000"}, {"haHousekeepingInterval", "20000"}}});
  master.wait_for_replicas(1);
  EXPECT_EQ(master.produce("T", "one", "2", "&timeout_ms=30000").status, 200);
  expect_idle_peace(master);
}

TEST_P(Case6OldQuirks, TheLargestBatchPassesBothWays) {
  Node& ours = add_our_master(
      "ours", {"bootstrap=earliest", "transfer_batch_bytes=" + std::string(kLargestBatch)});
  register_our_master(ours, "T", 4);
  produce_to(ours, "T", 4000);
  ASSERT_GT(ours.log_end(), kSegmentBytes);
  Broker& java = add_broker({.id = 1, .role = "SLAVE"});
  expect_copy(ours, java);
  driver().release();
  java.stop();

  Broker& master = add_broker(
      {.name = "b1", .broker_name = "c", .more = {{"haTransferBatchSize", kLargestBatch}}});
  create_topic(master, "U", 4);
  produce({.topic = "U", .count = 4000});
  ASSERT_GT(driver().max_offset(master), kSegmentBytes);
  expect_copy(master, add_our_slave("copy", master));
}

HA_INTEROP_SUITE(Case6OldQuirks);

// Up to 4.5.1 a slave falls silent for ever when its master heartbeats every 5 s.
class Case6SilentSlave : public Case6OldQuirks {};

TEST_P(Case6SilentSlave, GoesOnReporting) {
  Node& master = add({.name = "ours", .role = "master", .segment_size = kSegmentBytes});
  add_broker({.id = 1,
              .role = "SLAVE",
              .more = {{"haMasterAddress", master.ha()},
                       {"haSendHeartbeatInterval", "5000"},
                       {"haHousekeepingInterval", "20000"}}});
  master.wait_for_replicas(1);
  EXPECT_EQ(master.produce("T", "one", "2", "&timeout_ms=30000").status, 200);
  expect_idle_peace(master);
  EXPECT_EQ(master.produce("T", "two", "2", "&timeout_ms=30000").status, 200);
}

HA_INTEROP_SUITE_WITH(Case6SilentSlave, testing::Values(kBefore452));

}  // namespace
}  // namespace ha::interop
