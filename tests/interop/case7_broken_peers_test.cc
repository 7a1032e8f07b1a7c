// SPDX-License-Identifier: Apache-2.0
// Case 7: masters whose log does not go with ours. RocketMQ's protocol says nothing of it: a real
// master sends heartbeats for ever, or other bytes. Our slave stops with a reason, appends nothing
// wrong, and does not try in a hot loop.

#include "tests/interop/interop.h"
#include "tests/system/command.h"
#include "tests/system/deadline.h"
#include "tests/system/lines.h"
#include "tests/system/tcp.h"

namespace ha::interop {
namespace {

using system::Node;
using system::wait_until;

class Case7BrokenPeers : public Interop {
 protected:
  void wait_for_reason(const Node& slave, const std::string& reason) {
    slave.wait_for("has stopped because of " + reason, [&](const json::value& now) {
      return system::text_at(now, "ha/client/state") == "suspend" &&
             system::text_at(now, "ha/client/last_reason") == reason;
    });
  }
  double connects(const Node& slave) {
    return system::metric(slave.metrics(), "ha_client_connects_total");
  }
};

TEST_P(Case7BrokenPeers, AMasterThatHasDeletedWhatWeNeed) {
  Broker& master = add_broker({});
  create_topic(master, "T", 4);
  Node& slave = add_our_slave("slave", master);
  produce({.count = 100, .max = 4096});
  expect_copy(master, slave);
  slave.kill();
  produce({.from = 100, .count = 5000});
  ASSERT_GT(driver().max_offset(master), kSegmentBytes);
  master.stop();
  std::filesystem::remove(master.store() / "commitlog" / std::string(20, '0'));
  master.start();
  ASSERT_EQ(driver().min_offset(master), kSegmentBytes);

  slave.start();
  const std::int64_t end = slave.log_end();
  wait_for_reason(slave, "offset_mismatch");
  EXPECT_EQ(slave.log_end(), end);
  EXPECT_LE(connects(slave), 2);
}

TEST_P(Case7BrokenPeers, AMasterThatLostItsTail) {
  Broker& master = add_broker({});
  create_topic(master, "T", 4);
  Node& slave = add_our_slave("slave", master);
  produce({.count = 200, .max = 4096});
  expect_copy(master, slave);
  slave.kill();
  master.stop();
  std::filesystem::copy(master.store(), folder_ / "earlier",
                        std::filesystem::copy_options::recursive);
  master.start();
  slave.start();
  produce({.prefix = "lost", .count = 200, .max = 4096});
  expect_copy(master, slave);
  master.stop();

  // It comes back without them: what it holds ends before ours.
  master.options().store = folder_ / "earlier";
  master.start();
  const std::int64_t end = slave.log_end();
  ASSERT_LT(driver().max_offset(master), end);
  wait_for_reason(slave, "offset_mismatch");
  EXPECT_EQ(slave.log_end(), end);

  // And grows beyond it with other messages.
  while (driver().max_offset(master) <= end)
    produce({.prefix = "other",
             .from = static_cast<int>(driver().produced().size()),
             .count = 200,
             .max = 4096});
  wait_for_reason(slave, "diverged");
  EXPECT_EQ(slave.log_end(), end);
  EXPECT_EQ(system::verify(slave.store()), "");
}

TEST_P(Case7BrokenPeers, AMasterWithSegmentsOfAnotherSize) {
  Broker& master = add_broker({});
  create_topic(master, "T", 4);
  produce({.count = 100, .max = 4096});
  std::vector<Node*> slaves;
  for (const std::int64_t size : {kSegmentBytes / 2, kSegmentBytes * 2}) {
    slaves.push_back(&add({.name = "segments-of-" + std::to_string(size),
                           .role = "slave",
                           .master = master.ha(),
                           .segment_size = size,
                           .options = {"wire=rocketmq"}}));  // from the first segment on
  }
  // It shows as soon as one side's segment ends where the other's does not.
  produce({.from = 100, .count = 5000});
  ASSERT_GT(driver().max_offset(master), kSegmentBytes);
  for (const Node* slave : slaves) {
    wait_for_reason(*slave, "segment_size");
    EXPECT_LE(slave->log_end(), kSegmentBytes);
    EXPECT_EQ(system::verify(slave->store()), "");
  }
}

// Eight bytes of ones are what our own protocol opens with: a real master must not take harm. The
// default mode takes it for "no report yet" and goes on waiting for one.
TEST_P(Case7BrokenPeers, AReportOfMinusOneIsNotAReport) {
  Broker& master = add_broker({});
  create_topic(master, "T", 1);
  produce({.count = 10, .max = 100, .threads = 1});
  const std::int64_t end = driver().max_offset(master);
  system::Tcp peer(system::parse_address(master.ha()));
  peer.send(std::string(8, '\xff'));
  peer.send(std::string(7, '\0') + '\1');  // a report of 1: the stream starts there
  const std::string header = peer.receive_exactly(12);
  EXPECT_EQ(header.substr(0, 8), std::string(7, '\0') + '\1');
  std::int64_t size = 0;
  for (const char c : header.substr(8)) size = size << 8 | static_cast<unsigned char>(c);
  EXPECT_EQ(size, end - 1);
  if (v5()) {
    const json::value status = driver().ha_status(master);
    EXPECT_EQ(system::number_at(status, "haConnectionInfo/0/slaveAckOffset"), 1);
  }
  EXPECT_EQ(driver().max_offset(master), end);
}

HA_INTEROP_SUITE(Case7BrokenPeers);

}  // namespace
}  // namespace ha::interop
