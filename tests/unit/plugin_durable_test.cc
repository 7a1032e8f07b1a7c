// SPDX-License-Identifier: Apache-2.0
// Option ack_durable: a slave acknowledges what its host's flush hook has made durable, and no
// more.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

const Options kDurable = {{"tail_check_bytes", "0"}, {"ack_durable", "true"}};

// A disk that a test holds: each flush waits until it is let through.
class HeldDisk {
 public:
  explicit HeldDisk(MemoryHost& host) {
    host.on_flush([this](std::int64_t end) { return flush(end); });
  }
  ~HeldDisk() { open(); }

  // Flushes that were begun so far, each with what it is for. Empty when they do not come.
  std::vector<std::int64_t> wait_for_flushes(std::size_t count) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, kPatience, [&] { return begun_.size() >= count; });
    return came ? begun_ : std::vector<std::int64_t>{};
  }
  void let_one_through(std::int32_t status = HA_OK) {
    const std::lock_guard lock(mutex_);
    ++allowed_;
    status_ = status;
    changed_.notify_all();
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::int32_t flush(std::int64_t end) {
    std::unique_lock lock(mutex_);
    begun_.push_back(end);
    changed_.notify_all();
    const std::size_t mine = begun_.size();
    changed_.wait(lock, [&] { return open_ || allowed_ >= mine; });
    return status_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::int64_t> begun_;
  std::size_t allowed_ = 0;
  bool open_ = false;
  std::int32_t status_ = HA_OK;
};

// A slave on such a disk. An instance ends only when its flush does.
struct Slave {
  explicit Slave(bool reserve, std::int64_t held = 0, const Options& more = {})
      : host({.append_reserve = reserve}), disk(host), instance(host, with(more)) {
    if (held > 0) host.grow(held);
    instance.start_slave(listener.address());
  }
  ~Slave() { disk.open(); }
  static Options with(const Options& more) {
    Options options = kDurable;
    options.insert(options.end(), more.begin(), more.end());
    return options;
  }

  // The master of an empty slave, whose first flush is over.
  Peer follow() {
    Peer master = listener.accept();
    disk.let_one_through();
    EXPECT_EQ(master.read_report(), 0);
    return master;
  }
  // And the flush of the first 50 bytes is under way.
  Peer follow_and_flush_50() {
    Peer master = follow();
    EXPECT_TRUE(master.send_log(0, 50));
    EXPECT_EQ(disk.wait_for_flushes(2).size(), 2u);
    return master;
  }

  Listener listener;
  MemoryHost host;
  HeldDisk disk;
  Instance instance;
};

class AckDurable : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Append, AckDurable, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_P(AckDurable, TheFirstReportWaitsUntilAllOfTheLogIsDurable) {
  Slave slave(GetParam(), 100);
  Peer master = slave.listener.accept();
  EXPECT_EQ(slave.disk.wait_for_flushes(1), std::vector<std::int64_t>{100});
  EXPECT_FALSE(master.has_bytes());
  slave.disk.let_one_through();
  EXPECT_EQ(master.read_report(), 100);
}

// Not even a heartbeat: to its master the first report is the offset that it asks for.
TEST_P(AckDurable, NothingIsSaidWhileTheFirstFlushLasts) {
  Slave slave(GetParam(), 100, {{"heartbeat_ms", "10"}, {"housekeeping_ms", "100"}});
  Peer master = slave.listener.accept();
  ASSERT_EQ(slave.disk.wait_for_flushes(1).size(), 1u);
  EXPECT_EQ(master.read_report(), INT64_MIN);  // it took the silent master for dead
}

TEST_P(AckDurable, BytesAreReportedWhenTheirFlushIsOver) {
  Slave slave(GetParam());
  Peer master = slave.follow();
  ASSERT_TRUE(master.send_log(0, 50));
  ASSERT_TRUE(slave.host.wait_for_end(50));
  EXPECT_EQ(slave.disk.wait_for_flushes(2).back(), 50);
  EXPECT_FALSE(master.has_bytes());
  slave.disk.let_one_through();
  EXPECT_EQ(master.read_report(), 50);
}

TEST_P(AckDurable, OneFlushCoversAllThatCameDuringTheOneBefore) {
  Slave slave(GetParam());
  Peer master = slave.follow();
  ASSERT_TRUE(master.send_log(0, 10));
  ASSERT_EQ(slave.disk.wait_for_flushes(2).size(), 2u);
  for (std::int64_t at = 10; at < 60; at += 10) {
    ASSERT_TRUE(master.send_log(at, 10));
    ASSERT_TRUE(slave.host.wait_for_end(at + 10));
  }
  slave.disk.let_one_through();
  EXPECT_EQ(master.read_report(), 10);
  ASSERT_EQ(slave.disk.wait_for_flushes(3).size(), 3u);
  slave.disk.open();
  std::int64_t report = 10;
  while (report < 60) ASSERT_GT(report = master.read_report(), 0);
  // The last frame was stored before its flush was asked for, so it may have one of its own.
  const std::vector<std::int64_t> flushes = slave.disk.wait_for_flushes(3);
  EXPECT_EQ(flushes.back(), 60);
  EXPECT_LE(flushes.size(), 4u);
}

// Heartbeats go on while a disk is slow, or the master would take this slave for dead.
TEST_P(AckDurable, HeartbeatsRepeatWhatIsDurable) {
  Slave slave(GetParam(), 0, {{"heartbeat_ms", "10"}});
  Peer master = slave.follow_and_flush_50();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(master.read_report(), 0);
}

TEST_P(AckDurable, AFlushThatFailsEndsTheConnectionAndAcknowledgesNothing) {
  Slave slave(GetParam());
  Peer master = slave.follow_and_flush_50();
  slave.disk.let_one_through(HA_IO);
  EXPECT_EQ(master.read_report(), INT64_MIN);
  EXPECT_TRUE(slave.host.wait_for_log("host hook 'flush' answered IO"));
  // It tries again, and then all of it is durable before it says so.
  Peer again = slave.listener.accept();
  EXPECT_EQ(slave.disk.wait_for_flushes(3).back(), 50);
  slave.disk.let_one_through();
  EXPECT_EQ(again.read_report(), 50);
}

// The answer of a flush that was asked for on an earlier connection says nothing on this one.
TEST_P(AckDurable, ALateFlushOfAnEarlierConnectionIsNotAnAck) {
  Slave slave(GetParam());
  Peer master = slave.follow_and_flush_50();
  master.close();
  Peer again = slave.listener.accept();
  slave.disk.let_one_through();
  EXPECT_EQ(slave.disk.wait_for_flushes(3).back(), 50);
  EXPECT_FALSE(again.has_bytes());
  slave.disk.let_one_through();
  EXPECT_EQ(again.read_report(), 50);
}

TEST_P(AckDurable, StopWaitsForTheFlushThatIsUnderWay) {
  Slave slave(GetParam());
  Peer master = slave.listener.accept();
  ASSERT_EQ(slave.disk.wait_for_flushes(1).size(), 1u);
  slave.disk.open();
  slave.instance.stop();
  EXPECT_EQ(slave.host.threads(), 0);
}

TEST(AckDurableStart, AHostThatCannotFlushIsRefused) {
  HostFeatures features;
  features.flush = false;
  MemoryHost host(features);
  Instance slave(host, kDurable);
  EXPECT_EQ(slave.start(HA_ROLE_SLAVE, "127.0.0.1:1"), HA_UNSUPPORTED);
  EXPECT_NE(std::string(slave.error().text).find("hook 'flush'"), std::string::npos);
}

}  // namespace
}  // namespace ha::testing
