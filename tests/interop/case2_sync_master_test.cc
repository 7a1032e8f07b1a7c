// SPDX-License-Identifier: Apache-2.0
// Case 2: a real SYNC_MASTER waits for our slave, and tells its producers when it waited in vain.

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"

namespace ha::interop {
namespace {

using system::Node;
using system::wait_until;

class Case2SyncMaster : public Interop {
 protected:
  Driver::Outcomes put(const std::string& prefix, int count) {
    return driver().produce(name_server().address(),
                            {.prefix = prefix, .count = count, .max = 4096, .threads = 1});
  }
};

TEST_P(Case2SyncMaster, PutsWaitForOurSlave) {
  // 5.x waits for nobody unless inSyncReplicas says so (the master's own copy counts).
  Broker& master = add_broker(
      {.role = "SYNC_MASTER",
       .more = {{"slaveTimeout", "1000"}, {"totalReplicas", "2"}, {"inSyncReplicas", "2"}}});
  create_topic(master, "T", 4);
  Node& slave = add_our_slave("slave", master);
  wait_until("our slave is connected", [&] { return master.ha_connections() == 1; });
  const Driver::Outcomes ok = {{"SEND_OK", 20}};
  ASSERT_EQ(put("before", 20), ok);

  if (v5()) {
    const std::int64_t end = driver().max_offset(master);
    // The last ack may be under way when the last put is answered by its own.
    wait_until("the broker says that our slave holds everything", [&] {
      const json::value status = driver().ha_status(master);
      return system::at(status, "haConnectionInfo").as_array().size() == 1 &&
             system::number_at(status, "haConnectionInfo/0/slaveAckOffset") == end;
    });
    const json::value status = driver().ha_status(master);
    EXPECT_TRUE(system::flag_at(status, "master"));
    EXPECT_EQ(system::number_at(status, "masterCommitLogMaxOffset"), end);
    EXPECT_EQ(system::number_at(status, "inSyncSlaveNums"), 1);
    EXPECT_EQ(system::number_at(status, "haConnectionInfo/0/diff"), 0);
    EXPECT_TRUE(system::flag_at(status, "haConnectionInfo/0/inSync"));
    EXPECT_TRUE(system::text_at(status, "haConnectionInfo/0/addr").starts_with("127.0.0.1:"));
  }

  // Stopped, but not yet noticed: the copy does not come in time.
  slave.suspend();
  EXPECT_EQ(put("stopped", 1), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 1}}));
  // Noticed: 4.x then says that there is no slave, 5.x goes on waiting for one.
  wait_until("the broker drops it", [&] { return master.ha_connections() == 0; });
  EXPECT_EQ(put("gone", 1),
            (Driver::Outcomes{{v5() ? "FLUSH_SLAVE_TIMEOUT" : "SLAVE_NOT_AVAILABLE", 1}}));
  if (v5()) {
    const json::value status = driver().ha_status(master);
    EXPECT_EQ(system::number_at(status, "inSyncSlaveNums"), 0);
    EXPECT_TRUE(system::at(status, "haConnectionInfo").as_array().empty());
  }

  slave.resume();
  const std::int64_t end = driver().max_offset(master);
  slave.wait_for("caught up", [&](const json::value& now) {
    return system::number_at(now, "ha/bounds/end") == end;
  });
  EXPECT_EQ(put("after", 20), ok);
  EXPECT_EQ(difference(driver().produced(), read_from(slave, "T", 4)), "");
}

HA_INTEROP_SUITE(Case2SyncMaster);

}  // namespace
}  // namespace ha::interop
