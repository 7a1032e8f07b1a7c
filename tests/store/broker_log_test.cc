// SPDX-License-Identifier: Apache-2.0
// The broker's log on a stream that nobody reads.
#include "broker/broker_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "broker/line_writer.h"

namespace stub {
namespace {

constexpr int kSmall = 4096;  // the least that a pipe can have

class BrokerLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(::pipe(ends_.data()), 0);
    ASSERT_EQ(::fcntl(ends_[1], F_SETPIPE_SZ, kSmall), kSmall);
    before_ = spdlog::default_logger();
  }
  void TearDown() override {
    spdlog::set_default_logger(before_);
    close_reader();
  }
  void fill() {
    const std::string bytes(kSmall, 'x');
    ASSERT_EQ(::write(ends_[1], bytes.data(), bytes.size()), kSmall);
  }
  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  // Until text is in what was read; false at the end of the stream.
  bool read_until(const std::string& text) {
    std::array<char, 65536> bytes;
    while (read_.find(text) == std::string::npos) {
      const ssize_t got = ::read(ends_[0], bytes.data(), bytes.size());
      if (got <= 0) return false;
      read_.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return true;
  }
  std::int64_t count(const std::string& text) const {
    std::int64_t n = 0;
    for (auto at = read_.find(text); at != std::string::npos; at = read_.find(text, at + 1)) ++n;
    return n;
  }

  std::array<int, 2> ends_{-1, -1};  // the writing one stays open: a writer may hang in it
  std::string read_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(BrokerLogTest, LinesArriveInTheirOrder) {
  {
    BrokerLog log("info", ends_[1]);
    spdlog::debug("quiet");
    spdlog::info("first");
    spdlog::warn("second");
    log.say("third");
  }
  ASSERT_TRUE(read_until("third\n"));
  EXPECT_EQ(read_.find("quiet"), std::string::npos);
  EXPECT_LT(read_.find("info first\n"), read_.find("warning second\n"));
  EXPECT_LT(read_.find("warning second\n"), read_.find("\nthird\n"));
}

TEST_F(BrokerLogTest, AStalledReaderHoldsUpNoOtherAndIsToldWhatItMissed) {
  const std::int64_t dropped_before = dropped_log_lines();
  fill();
  BrokerLog log("info", ends_[1], kSmall);
  std::int64_t sent = 0;
  while (dropped_log_lines() - dropped_before < 100) {
    spdlog::info("line number {}", sent++);
  }
  std::thread reader([&] { read_until("were dropped"); });
  // The note comes before the next line for which there is room.
  std::atomic<bool> told{false};
  std::thread writer([&] {
    while (!told.load()) {
      spdlog::info("line number {}", sent++);
      std::this_thread::yield();
    }
  });
  reader.join();
  told.store(true);
  // What the reader has not taken yet must not keep the writer: it never waits for the stream.
  writer.join();
  EXPECT_NE(read_.find(" lines of this log were dropped"), std::string::npos);
  EXPECT_GE(dropped_log_lines() - dropped_before, 100);
}

TEST_F(BrokerLogTest, ItsEndWaitsForNoReader) {
  const std::int64_t dropped_before = dropped_log_lines();
  fill();
  {
    BrokerLog log("info", ends_[1], kSmall);
    while (dropped_log_lines() == dropped_before) spdlog::info("nobody reads this");
  }
  // A thread that logs after that is not held up either.
  const std::int64_t dropped = dropped_log_lines();
  spdlog::info("too late");
  EXPECT_EQ(dropped_log_lines(), dropped + 1);
}

TEST_F(BrokerLogTest, AReaderThatHasGoneCostsTheLines) {
  const std::int64_t dropped_before = dropped_log_lines();
  close_reader();
  BrokerLog log("info", ends_[1]);
  while (dropped_log_lines() == dropped_before) {
    spdlog::info("to nobody");
    std::this_thread::yield();
  }
}

TEST_F(BrokerLogTest, AWriterTakesWhatFitsAndStopsInTime) {
  LineWriter writer(ends_[1], 8);
  EXPECT_FALSE(writer.push("nine bytes and more\n"));
  EXPECT_TRUE(writer.push("eight..\n"));
  EXPECT_TRUE(writer.stop(std::chrono::seconds(30)));
  EXPECT_FALSE(writer.push("late\n"));
  EXPECT_TRUE(read_until("eight..\n"));
}

}  // namespace
}  // namespace stub
