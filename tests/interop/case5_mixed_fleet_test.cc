// SPDX-License-Identifier: Apache-2.0
// Case 5: slaves of both kinds behind one master of either.

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"

namespace ha::interop {
namespace {

using system::Node;
using system::wait_until;

class Case5MixedFleet : public Interop {};

TEST_P(Case5MixedFleet, AJavaMasterWithAJavaSlaveAndOurs) {
  Broker& master = add_broker(
      {.role = "SYNC_MASTER",
       .more = {{"slaveTimeout", "5000"}, {"totalReplicas", "3"}, {"inSyncReplicas", "3"}}});
  create_topic(master, "T", 4);
  Broker& java = add_broker({.name = "b1", .id = 1, .role = "SLAVE"});
  Node& ours = add_our_slave("ours", master);
  wait_until("both are connected", [&] { return master.ha_connections() == 2; });
  produce({.count = 2000, .max = 65536});
  expect_copy(master, ours);
  wait_until("the real slave has it all",
             [&] { return driver().max_offset(java) == driver().max_offset(master); });

  // 5.x wants both; 4.x is content with one.
  ours.suspend();
  produce_expecting(v5() ? "FLUSH_SLAVE_TIMEOUT" : "SEND_OK");
  ours.resume();
  wait_until("ours is back", [&] { return master.ha_connections() == 2; });
  expect_copy(master, ours);
  produce_expecting("SEND_OK");
}

HA_INTEROP_SUITE(Case5MixedFleet);

// A slave of 4.9, one of the version and one of ours.
class Case5OurMaster : public Interop {};

TEST_P(Case5OurMaster, WithSlavesOfThreeKinds) {
  Node& master = add_our_master("ours", {"in_sync_replicas=4"});
  register_our_master(master, "T", 4);
  Broker& old_java = add_broker(kVersions[0], {.name = "b1", .id = 1, .role = "SLAVE"});
  Broker& new_java = add_broker({.name = "b2", .id = 2, .role = "SLAVE"});
  Node& ours = add_slave(master, "slave", {"heartbeat_ms=500", "housekeeping_ms=3000"});
  master.wait_for("has all four in sync", [](const json::value& now) {
    return system::number_at(now, "ha/in_sync_count") == 4;
  });
  produce_to(master, "T", 2000);  // each waits for four copies
  expect_copy(master, old_java);
  expect_copy(master, new_java);
  ours.wait_for_end_of(master);
  old_java.suspend();
  EXPECT_EQ(master.produce("T", "late", "default", "&timeout_ms=500").status, 504);
  old_java.resume();
  master.wait_for("has all four in sync again", [](const json::value& now) {
    return system::number_at(now, "ha/in_sync_count") == 4;
  });
  EXPECT_EQ(master.produce("T", "on time", "default", "&timeout_ms=30000").status, 200);
}

HA_INTEROP_SUITE_WITH(Case5OurMaster, testing::Values(kVersions[2]));

}  // namespace
}  // namespace ha::interop
