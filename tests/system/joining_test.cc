// SPDX-License-Identifier: Apache-2.0
// How a slave joins: from the last segment or the first, with a store that does not fit, with a log
// that is ahead.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"

namespace ha::system {
namespace {

class Joining : public Cluster {
 protected:
  // A master whose log has rolled several segments.
  Node& add_full_master(std::vector<std::string> options = {}) {
    Node& master = add_master(std::move(options));
    const auto file = write_file(folder_ / "lines", numbered_lines("l", 8000, 400));
    EXPECT_EQ(produce_file(master, "T", "1", file).exit_code, 0);
    EXPECT_GT(master.log_end(), 3 * master.segment_size());
    return master;
  }
};

TEST_F(Joining, EmptySlaveGetsTheLastSegmentOnly) {
  Node& master = add_full_master({"bootstrap=latest_segment"});
  Node& slave = add_slave(master, "slave");
  slave.wait_for_end_of(master);
  const std::int64_t end = master.log_end();
  const std::int64_t start = end - end % master.segment_size();
  EXPECT_EQ(slave.log_min(), start);
  EXPECT_EQ(compare_logs(master.store(), slave.store(), start, end, master.segment_size()), "");
  const std::string all = consume_all(master, "T");
  const std::string held = consume_all(slave, "T");
  EXPECT_FALSE(held.empty());
  EXPECT_LT(held.size(), all.size());
  EXPECT_TRUE(all.ends_with(held)) << "what it serves is not the end of what the master serves";
  EXPECT_EQ(master.produce("T", "next", "2").status, 200);
  // It comes back as what it is.
  slave.kill();
  slave.start();
  EXPECT_EQ(slave.log_min(), start);
  slave.wait_for_end_of(master);
  EXPECT_EQ(consume_all(slave, "T"), held + "next\n");
  slave.terminate();
  EXPECT_EQ(verify(slave.store()), "");
}

TEST_F(Joining, EmptySlaveGetsEverythingFromTheEarliest) {
  Node& master = add_full_master({"bootstrap=earliest"});
  Node& slave = add_slave(master, "slave");
  slave.wait_for_end_of(master);
  EXPECT_EQ(slave.log_min(), 0);
  EXPECT_EQ(compare_logs(master.store(), slave.store(), 0, master.log_end(), master.segment_size()),
            "");
  EXPECT_EQ(consume_all(slave, "T"), consume_all(master, "T"));
}

TEST_F(Joining, SlaveWithSmallerSegmentsStopsAndSaysWhy) {
  Node& master = add_full_master({"bootstrap=earliest"});
  Node& slave = add({.name = "slave",
                     .role = "slave",
                     .master = master.ha(),
                     .segment_size = master.segment_size() / 2});
  slave.wait_for("is suspended for its segment size", [](const json::value& now) {
    return text_at(now, "ha/client/state") == "suspend" &&
           text_at(now, "ha/client/last_reason") == "segment_size";
  });
  // Final: it does not come again by itself.
  const std::int64_t connects = number_at(slave.status(), "ha/client/connects");
  master.wait_for_replicas(0);
  EXPECT_EQ(number_at(slave.status(), "ha/client/connects"), connects);
  slave.terminate();
  EXPECT_EQ(verify(slave.store()), "");
}

TEST_F(Joining, SlaveWithLargerSegmentsStopsAndSaysWhy) {
  Node& master = add_full_master({"bootstrap=earliest"});
  Node& slave = add({.name = "slave",
                     .role = "slave",
                     .master = master.ha(),
                     .segment_size = master.segment_size() * 2});
  slave.wait_for("is suspended for its segment size", [](const json::value& now) {
    return text_at(now, "ha/client/state") == "suspend" &&
           text_at(now, "ha/client/last_reason") == "segment_size";
  });
  // What it took before it could tell is the master's, byte for byte, and no more than one segment.
  const std::int64_t end = slave.log_end();
  EXPECT_LE(end, master.segment_size());
  slave.terminate();
  EXPECT_EQ(verify(slave.store()), "");
}

TEST_F(Joining, SlaveThatHoldsMoreThanItsNewMasterKeepsItAndSaysSo) {
  Node& master = add_master();
  Node& ahead = add_slave(master, "ahead", {"reconnect_max_ms=1000"});
  Node& behind = add_slave(master, "behind", {"heartbeat_ms=100"});
  master.wait_for_replicas(2);
  ASSERT_EQ(master.produce("T", "on all", "3").status, 200);
  behind.kill();
  ASSERT_EQ(master.produce("T", "on the one that is ahead", "2").status, 200);
  master.kill();
  behind.start();
  promote(behind);
  const std::int64_t end = ahead.log_end();
  follow(ahead, behind);
  const auto stopped_by = [](const std::string& reason) {
    return [reason](const json::value& now) {
      return text_at(now, "ha/client/last_reason") == reason &&
             text_at(now, "ha/client/state") == "suspend";
    };
  };
  ahead.wait_for("says that its master holds less", stopped_by("request_above_end"));
  EXPECT_NE(ahead.log_text().find("the slave holds what the master never had"), std::string::npos);
  // The new master goes on with other messages.
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(behind.produce("T", "on the new master alone", "1").status, 200);
  ahead.wait_for("says that the two logs parted", stopped_by("diverged"));
  EXPECT_NE(ahead.log_text().find("the two logs parted there or before"), std::string::npos);
  EXPECT_EQ(ahead.log_end(), end) << "what it held was touched";
  EXPECT_EQ(consume_all(ahead, "T"), "on all\non the one that is ahead\n");
}

}  // namespace
}  // namespace ha::system
