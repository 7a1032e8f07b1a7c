// SPDX-License-Identifier: Apache-2.0
// Case 3: our master, real slaves. They learn our HA address from the name server, as they would a
// real master's; their consumers read when our master is dead.

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"

namespace ha::interop {
namespace {

using system::Node;
using system::wait_until;

constexpr int kQueues = 4;

class Case3JavaSlave : public Interop {};

TEST_P(Case3JavaSlave, HoldsOurLogAndServesItWhenWeAreDead) {
  Node& master = add_our_master("ours", {"in_sync_replicas=2", "bootstrap=earliest"});
  register_our_master(master, "T", kQueues);
  write_topic_table(folder_ / "slave", "T", kQueues);
  Broker& slave = add_broker({.id = 1, .role = "SLAVE", .store = folder_ / "slave"});
  master.wait_for_replicas(1);
  produce_to(master, "T", 4000);
  ASSERT_GT(master.log_end(), kSegmentBytes);
  expect_copy(master, slave);

  const json::value status = master.status();
  EXPECT_EQ(system::number_at(status, "ha/in_sync_count"), 2);
  EXPECT_TRUE(system::flag_at(status, "ha/replicas/0/in_sync"));
  if (v5()) {
    const json::value seen = driver().ha_status(slave);
    EXPECT_FALSE(system::flag_at(seen, "master"));
    EXPECT_EQ(system::text_at(seen, "haClientRuntimeInfo/masterAddr"), master.ha());
    EXPECT_EQ(system::number_at(seen, "haClientRuntimeInfo/maxOffset"), master.log_end());
  }

  const Manifest wanted = read_from(master, "T", kQueues);
  ASSERT_EQ(wanted.size(), 4000U);
  master.kill();
  driver().release();  // and with it its entry at the name server
  EXPECT_EQ(difference(wanted, driver().consume(name_server().address(), "T", wanted.size())), "");
}

TEST_P(Case3JavaSlave, LosesItsPlaceInSyncWhenItStopsAndGetsItBack) {
  Node& master = add_our_master("ours", {"in_sync_replicas=2", "min_in_sync_replicas=2"});
  register_our_master(master, "T", kQueues);
  Broker& slave = add_broker({.id = 1, .role = "SLAVE"});
  const auto in_sync = [](std::int64_t count) {
    return [count](const json::value& now) {
      return system::number_at(now, "ha/in_sync_count") == count;
    };
  };
  master.wait_for("has the real slave in sync", in_sync(2));
  EXPECT_EQ(master.produce("T", "one", "default").status, 200);
  slave.suspend();
  master.wait_for("has noticed that it stopped", in_sync(1));
  EXPECT_EQ(master.produce("T", "two", "default").status, 503);
  slave.resume();
  master.wait_for("has it back", in_sync(2));
  EXPECT_EQ(master.produce("T", "three", "default").status, 200);
  expect_copy(master, slave);
}

HA_INTEROP_SUITE(Case3JavaSlave);

}  // namespace
}  // namespace ha::interop
