// SPDX-License-Identifier: Apache-2.0
// The doorbell: no ring is lost, from any thread, whatever the I/O thread is doing.
#include "ha_plugin/net/io/io_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "tests/unit/memory_host.h"

namespace ha::net {
namespace {

// Counts the answers and lets a test wait for them.
class Bell {
 public:
  void answer() {
    const std::lock_guard lock(mutex_);
    ++answers_;
    changed_.notify_all();
  }
  bool wait_for(int answers) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, ha::testing::kPatience, [&] { return answers_ >= answers; });
  }
  int answers() {
    const std::lock_guard lock(mutex_);
    return answers_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int answers_ = 0;
};

// busy_poll_us.
class IoThreadRings : public ::testing::TestWithParam<int> {
 protected:
  void start(std::function<void()> on_ring) {
    io_.start(
        std::move(on_ring), [] {}, [] {}, [](const char* what) { ADD_FAILURE() << what; });
    io_.run_sync([this] { io_.set_busy_poll(std::chrono::microseconds(GetParam())); });
  }
  IoThread io_;
};
INSTANTIATE_TEST_SUITE_P(BusyPoll, IoThreadRings, ::testing::Values(0, 50, 1'000'000));

TEST_P(IoThreadRings, ARingFromOutsideIsAnswered) {
  Bell bell;
  start([&] { bell.answer(); });
  for (int i = 1; i <= 200; ++i) {
    io_.ring();
    ASSERT_TRUE(bell.wait_for(i));
  }
  io_.join();
}

// It does not write to the bell then: the thread must look again by itself.
TEST_P(IoThreadRings, ARingOfTheThreadItselfIsAnswered) {
  Bell bell;
  int again = 100;
  start([&] {
    bell.answer();
    if (again-- > 0) io_.ring();
  });
  io_.ring();
  EXPECT_TRUE(bell.wait_for(101));
  boost::asio::post(io_.context(), [this] { io_.ring(); });
  EXPECT_TRUE(bell.wait_for(102));
  io_.join();
}

// Handlers run between two answers, however often it rings.
TEST_P(IoThreadRings, EndlessRingsStarveNoHandler) {
  std::atomic<bool> handled{false};
  start([&] {
    if (!handled) io_.ring();
  });
  io_.ring();
  Bell bell;
  int left = 100;  // one after the other, so that some come while the thread spins
  std::function<void()> handler = [&] {
    if (--left > 0) return boost::asio::post(io_.context(), handler);
    handled = true;
    bell.answer();
  };
  boost::asio::post(io_.context(), handler);
  EXPECT_TRUE(bell.wait_for(1));
  handled = true;
  io_.join();
}

// The other way round: a replica that is far behind keeps the sockets busy for as long as it takes.
TEST_P(IoThreadRings, EndlessHandlersStarveNoRing) {
  Bell bell;
  start([&] { bell.answer(); });
  std::atomic<bool> stop{false};
  std::function<void()> again = [&] {
    if (!stop) boost::asio::post(io_.context(), again);
  };
  boost::asio::post(io_.context(), again);
  for (int i = 1; i <= 100; ++i) {
    io_.ring();
    if (!bell.wait_for(i)) {
      ADD_FAILURE() << "ring " << i << " was not answered";
      break;
    }
  }
  stop = true;
  io_.join();
}

// The thread takes a number up when it is rung for; none may be left lying.
TEST_P(IoThreadRings, NoRingIsLostBetweenWorkAndSleep) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20'000;
  std::atomic<int> handed_in{0};
  std::atomic<int> seen{0};
  start([&] { seen = handed_in.load(); });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const int mine = ++handed_in;
        io_.ring();
        const auto deadline = std::chrono::steady_clock::now() + ha::testing::kPatience;
        while (seen < mine && std::chrono::steady_clock::now() < deadline) {
          std::this_thread::yield();
        }
        ASSERT_GE(seen, mine);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(seen, kThreads * kEach);
  io_.join();
}

TEST_P(IoThreadRings, JoinEndsAThreadThatSpins) {
  start([] {});
  io_.ring();
  io_.join();
  EXPECT_FALSE(io_.running());
  io_.ring();  // late, and harmless
}

}  // namespace
}  // namespace ha::net
