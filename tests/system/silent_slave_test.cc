// SPDX-License-Identifier: Apache-2.0
// A slave that is alive to the kernel and dead to its master: SIGSTOP.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"

namespace ha::system {
namespace {

using SilentSlave = Cluster;

std::string status_of(const HttpResponse& response) {
  return text_at(response.document(), "status");
}

TEST_F(SilentSlave, DelaysOnlyThoseWhoWaitForIt) {
  Node& master = add_master();
  Node& lively = add_slave(master, "lively");
  Node& stopped = add_slave(master, "stopped");
  master.wait_for_replicas(2);
  ASSERT_EQ(status_of(master.produce("T", "before", "3")), "OK");

  stopped.suspend();
  EXPECT_EQ(status_of(master.produce("T", "two suffice", "2")), "OK");
  const HttpResponse late = master.produce("T", "three are wanted", "3", "&timeout_ms=300");
  EXPECT_EQ(status_of(late), "FLUSH_SLAVE_TIMEOUT");
  EXPECT_EQ(number_at(late.document(), "stored"), 1);
  EXPECT_EQ(consume_all(master, "T"), "before\ntwo suffice\nthree are wanted\n");
  EXPECT_EQ(consume_all(lively, "T"), "before\ntwo suffice\nthree are wanted\n");

  // Which of the two it is, the status says in bytes and in time.
  master.wait_for("names the one that lags", [](const json::value& now) {
    return find_replica(now,
                        [](const json::value& replica) {
                          return flag_at(replica, "connected") &&
                                 number_at(replica, "lag_bytes") > 0 &&
                                 number_at(replica, "lag_ms") > 0;
                        }) != nullptr &&
           find_replica(now, [](const json::value& replica) {
             return flag_at(replica, "connected") && number_at(replica, "lag_bytes") == 0;
           }) != nullptr;
  });

  stopped.resume();
  stopped.wait_for_end_of(master);
  EXPECT_EQ(status_of(master.produce("T", "three again", "3")), "OK");
  EXPECT_EQ(consume_all(stopped, "T"), consume_all(master, "T"));
}

TEST_F(SilentSlave, IsDroppedByHousekeepingWhichSaysSo) {
  const std::vector<std::string> quick = {"heartbeat_ms=200", "housekeeping_ms=1500"};
  Node& master = add_master(quick);
  Node& slave = add_slave(master, "slave", quick);
  master.wait_for_replicas(1);
  slave.suspend();
  master.wait_for_replicas(0);
  const json::value now = master.status();
  const json::object* gone = find_replica(now, [](const json::value& replica) {
    return text_at(replica, "last_close_reason") == "housekeeping";
  });
  EXPECT_NE(gone, nullptr) << json::serialize(now);
  EXPECT_EQ(status_of(master.produce("T", "nobody", "2", "&timeout_ms=500")),
            "SLAVE_NOT_AVAILABLE");

  slave.resume();
  master.wait_for_replicas(1);
  EXPECT_EQ(status_of(master.produce("T", "somebody", "2")), "OK");
}

}  // namespace
}  // namespace ha::system
