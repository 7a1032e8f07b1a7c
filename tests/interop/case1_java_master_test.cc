// SPDX-License-Identifier: Apache-2.0
// Case 1: a real master, slaves of ours. Byte for byte, whatever happens to the slave meanwhile.

#include <thread>

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"

namespace ha::interop {
namespace {

using system::Node;
using system::wait_until;

constexpr int kQueues = 4;

class Case1JavaMaster : public Interop {
 protected:
  void follow(int messages);
};

void Case1JavaMaster::follow(int messages) {
  Broker& master = add_broker({});
  create_topic(master, "T", kQueues);
  const int quarter = messages / 4;

  Node& early = add_our_slave("early", master);
  wait_until_connected(early);
  produce({.prefix = "a", .count = quarter});

  // An empty slave gets the last segment; one that was given the full segments gets the rest.
  Node& late = add_our_slave("late", master);
  const std::int64_t so_far = driver().max_offset(master);
  ASSERT_GT(so_far, kSegmentBytes) << "too few messages to fill a segment";
  system::NodeOptions options{.name = "seeded",
                              .role = "slave",
                              .master = master.ha(),
                              .segment_size = kSegmentBytes,
                              .options = {"heartbeat_ms=500", "housekeeping_ms=3000"}};
  copy_full_segments(master.store(), folder_ / "seeded", so_far);
  Node& seeded = add(options);

  // Killed and restarted in the middle of a stream.
  {
    const std::int64_t before = early.log_end();
    std::thread producing([&] { produce({.prefix = "b", .count = quarter}); });
    wait_until("the early slave receives", [&] { return early.log_end() > before + 100'000; });
    early.kill();
    early.start();
    producing.join();
  }

  // Silent for longer than the master's patience.
  wait_until("all three are connected", [&] { return master.ha_connections() == 3; });
  early.suspend();
  produce({.prefix = "c", .count = quarter});
  wait_until("the master drops it", [&] { return master.ha_connections() == 2; });
  early.resume();
  produce({.prefix = "d", .count = messages - 3 * quarter});

  for (const Node* slave : {&early, &late, &seeded}) expect_copy(master, *slave);
  EXPECT_EQ(early.log_min(), 0);
  EXPECT_EQ(seeded.log_min(), 0);
  // The master's last segment once it was taken for a RocketMQ broker, a second after it connected.
  EXPECT_GE(late.log_min(), so_far - so_far % kSegmentBytes);
  EXPECT_EQ(late.log_min() % kSegmentBytes, 0);

  const Manifest produced = driver().produced();
  EXPECT_EQ(produced.size(), static_cast<std::size_t>(messages));
  EXPECT_EQ(difference(produced, read_from(early, "T", kQueues)), "");
  EXPECT_EQ(difference(produced, read_from(seeded, "T", kQueues)), "");
}

TEST_P(Case1JavaMaster, OurSlaveIsAByteForByteCopy) { follow(10'000); }
TEST_P(Case1JavaMaster, AHundredThousandMessages) { follow(100'000); }

HA_INTEROP_SUITE(Case1JavaMaster);

}  // namespace
}  // namespace ha::interop
