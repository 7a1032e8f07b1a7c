// SPDX-License-Identifier: Apache-2.0
// Case 11: an old master that comes back is cut, and killed while that goes on. RocketMQ's recovery
// reads on as long as records look whole, so what was cut must be gone from the disk.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/interop/broker_set.h"
#include "tests/interop/disk_faults.h"

namespace ha::interop {
namespace {

using system::wait_until;

class Case11Cut : public BrokerSet {
 protected:
  static constexpr int kKilled = 128 + SIGKILL;

  // The old master, down, has what nobody else holds and no producer was promised. The others go on
  // without it. Each call at which it may be killed comes once in its cut.
  void leave_a_tail() {
    promote(0);
    wait_for_puts();
    ASSERT_EQ(put("early", 200), (Driver::Outcomes{{"SEND_OK", 200}}));
    HostBroker::expect_same(broker(0), broker(1), kSmallSegment);
    broker(1).kill();
    broker(2).kill();
    EXPECT_EQ(put("tail", 400, 0, 100), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 400}}));
    ASSERT_GT(bound(0, "end") - bound(0, "confirm"), kSmallSegment);
    broker(0).kill();
    broker(1).start();
    broker(2).start();
    common_end_ = driver().max_offset(broker(1));
    ASSERT_NE(common_end_ % kSmallSegment, 0);
    promote(1);
    wait_for_puts();
    ASSERT_EQ(put("late", 5), (Driver::Outcomes{{"SEND_OK", 5}}));
    broker(0).options().environment = faults_.environment();
  }
  // Its JVM may die before or after it says that it is up.
  void start_until_killed(const std::string& fault) {
    faults_.set(fault);
    try {
      broker(0).start();
    } catch (const system::Failure&) {
      // the exit code says whether it was that
    }
    EXPECT_EQ(broker(0).java().process().wait(kJavaDeadline), kKilled) << fault;
    faults_.set("");
  }
  // "" = on the old master's disk nothing is left above that end, of all or of its own.
  std::string left_of_the_tail() { return left_above(common_end_); }
  std::string left_above(std::int64_t end) {
    for (const auto& entry : std::filesystem::directory_iterator(broker(0).store() / "commitlog")) {
      const std::int64_t begin = std::stoll(entry.path().filename().string());
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const auto from = static_cast<std::size_t>(std::max<std::int64_t>(end - begin, 0));
      if (from < bytes.size() && bytes.find_first_not_of('\0', from) != std::string::npos) {
        return entry.path().string();
      }
    }
    return "";
  }
  void expect_the_masters_log() {
    expect_same(1, 0);
    expect_same(1, 2);
    EXPECT_EQ(left_above(driver().max_offset(broker(1))), "");
    EXPECT_EQ(role(0), "slave");
    expect_no_tail(1);
    // Consumers of the one that was cut see the same.
    promote(0);
    wait_for_puts();
    expect_no_tail(0);
  }
  void expect_no_tail(int master) {
    const Manifest got = consume_all(master);
    expect_among(produced_without("tail"), got);
    for (const std::string& line : got) EXPECT_EQ(line.find(" tail-"), std::string::npos) << line;
  }

  DiskFaults faults_{folder_.path()};
  std::int64_t common_end_ = 0;
};

TEST_P(Case11Cut, StaysCutWhenTheBrokerIsKilledAtOnce) {
  ASSERT_NO_FATAL_FAILURE(leave_a_tail());
  start_until_killed("fdatasync killed");
  EXPECT_EQ(left_of_the_tail(), "");
  broker(0).start();
  expect_the_masters_log();
}

// Before the first file is deleted, before the rest is wiped, and before that is durable.
TEST_P(Case11Cut, GoesOnAfterAKillBetweenItsSteps) {
  ASSERT_NO_FATAL_FAILURE(leave_a_tail());
  start_until_killed("unlink kill");
  EXPECT_NE(left_of_the_tail(), "");
  start_until_killed("fallocate kill");
  EXPECT_NE(left_of_the_tail(), "");
  start_until_killed("fdatasync kill");
  EXPECT_EQ(left_of_the_tail(), "");
  broker(0).start();
  expect_the_masters_log();
}

// The log is shorter already when the wipe fails, so the next try has nothing to cut.
TEST_P(Case11Cut, IsWipedOnceTheDiskWorksAgain) {
  ASSERT_NO_FATAL_FAILURE(leave_a_tail());
  faults_.set("fallocate EIO\npwrite EIO");
  broker(0).start();
  wait_until(
      "the broker says that it could not wipe",
      [&] { return broker(0).java().has_logged("cannot wipe what was cut"); }, {}, kJavaDeadline);
  EXPECT_TRUE(broker(0).java().has_logged("(Input/output error)"));
  faults_.set("");
  expect_the_masters_log();
}

HA_INTEROP_SUITE_WITH(Case11Cut, testing::ValuesIn(kControllerVersions));

}  // namespace
}  // namespace ha::interop
