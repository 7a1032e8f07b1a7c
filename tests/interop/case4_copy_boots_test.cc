// SPDX-License-Identifier: Apache-2.0
// Case 4: stores change hands. A real broker starts as master on what our slave received, and our
// stub serves what a real broker wrote.

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"
#include "tests/system/lines.h"

namespace ha::interop {
namespace {

using system::Node;

constexpr int kQueues = 4;

class Case4CopyBoots : public Interop {
 protected:
  // A real master with so many messages in more than one segment.
  Broker& filled_master(int messages) {
    Broker& master = add_broker({});
    create_topic(master, "T", kQueues);
    produce({.count = messages});
    EXPECT_GT(driver().max_offset(master), kSegmentBytes);
    return master;
  }
};

TEST_P(Case4CopyBoots, ARealBrokerStartsOnOurCopy) {
  Broker& broker = add_broker({});
  create_topic(broker, "T", kQueues);
  Node& slave = add_our_slave("copy", broker);
  // An empty slave that comes when the first segment is full is served from the second one.
  wait_until_connected(slave);
  produce({.count = 5000});
  const std::int64_t end = driver().max_offset(broker);
  ASSERT_GT(end, kSegmentBytes);
  slave.wait_for("holds everything", [&](const json::value& now) {
    return system::number_at(now, "ha/bounds/end") == end;
  });
  broker.stop();
  slave.terminate();

  // What lives outside the log (the topic table, group offsets) has to be made anew.
  broker.options().store = slave.store();
  broker.start();
  EXPECT_EQ(driver().max_offset(broker), end);
  create_topic(broker, "T", kQueues);
  const Manifest produced = driver().produced();
  ASSERT_EQ(produced.size(), 5000U);
  EXPECT_EQ(difference(produced, driver().consume(name_server().address(), "T", produced.size())),
            "");
  // And it goes on as a master: what is produced now is numbered on.
  produce({.prefix = "more", .count = 10});
  EXPECT_EQ(difference(driver().produced(),
                       driver().consume(name_server().address(), "T", produced.size() + 10)),
            "");
}

TEST_P(Case4CopyBoots, OurStubServesARealBrokersStore) {
  Broker& broker = filled_master(5000);
  const std::int64_t end = driver().max_offset(broker);
  const Manifest produced = driver().produced();
  broker.stop();

  const auto verified =
      system::run({system::program("ha_stub"), "verify", "--store", broker.store().string()});
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.errors;

  Node& master = add({.name = "ours",
                      .role = "master",
                      .segment_size = kSegmentBytes,
                      .options = {"bootstrap=earliest"},
                      .store = broker.store()});
  EXPECT_EQ(master.log_end(), end);
  EXPECT_EQ(difference(produced, read_from(master, "T", kQueues)), "");
  Node& slave = add_slave(master, "copy");
  slave.wait_for_end_of(master);
  EXPECT_EQ(system::compare_logs(master.store(), slave.store(), 0, end, kSegmentBytes), "");
  EXPECT_EQ(difference(produced, read_from(slave, "T", kQueues)), "");
}

TEST_P(Case4CopyBoots, OurStubServesTheStoreOfARealBrokerThatWasKilled) {
  Broker& broker = filled_master(5000);
  const std::int64_t end = driver().max_offset(broker);
  const Manifest produced = driver().produced();
  broker.kill();
  Node& master = add(
      {.name = "ours", .role = "master", .segment_size = kSegmentBytes, .store = broker.store()});
  EXPECT_EQ(master.log_end(), end);
  EXPECT_EQ(difference(produced, read_from(master, "T", kQueues)), "");
}

HA_INTEROP_SUITE(Case4CopyBoots);

}  // namespace
}  // namespace ha::interop
