// SPDX-License-Identifier: Apache-2.0
// Group transfer asked by many threads at once, while one thread turns it.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/transfer_fixture.h"

namespace ha {
namespace {

// Runs the service as the plugin does: one thread owns it and turns when it is rung.
class Loop {
 public:
  explicit Loop(metrics::HaMetrics& metrics, core::AckPolicy policy)
      : service_(metrics, policy, 1 << 20, [this] { ring(); }), thread_([this] { run(); }) {
    post([this] { service_.set_master(true); });
  }
  ~Loop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_all();
  }
  void post_and_wait(const std::function<void()>& task) {
    std::mutex done_mutex;
    std::condition_variable done_wake;
    bool done = false;
    post([&] {
      task();
      const std::lock_guard lock(done_mutex);
      done = true;
      done_wake.notify_all();
    });
    std::unique_lock lock(done_mutex);
    done_wake.wait(lock, [&] { return done; });
  }
  void join_two() {
    post_and_wait([&] {
      service_.join(1, "a", Offset(0));
      service_.join(2, "b", Offset(0));
    });
  }
  TransferService& service() { return service_; }
  std::int64_t log_end = 0;  // the loop's thread only

 private:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    wake_.notify_all();
  }
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || rung_ || !tasks_.empty(); });
      if (stop_ && !rung_ && tasks_.empty()) return;
      rung_ = false;
      std::vector<std::function<void()>> tasks;
      tasks.swap(tasks_);
      lock.unlock();
      for (auto& task : tasks) task();
      const Time now = std::chrono::steady_clock::now().time_since_epoch();
      service_.turn(now, Offset(log_end));
      service_.run_callbacks(now);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool rung_ = false;
  bool stop_ = false;
  std::vector<std::function<void()>> tasks_;
  TransferService service_;
  std::thread thread_;
};

constexpr int kThreads = 8;
constexpr int kWaitsEach = 4000;

struct Count {
  std::atomic<int> accepted{0};
  std::atomic<int> done{0};
  std::atomic<int> refused{0};
  std::atomic<int> ended_ok{0};
  std::atomic<int> ended_else{0};
  std::atomic<int> not_once{0};
};

struct ManyTicket {
  Count* count;
  std::atomic<int> calls{0};
};

void count_end(void* user, std::int32_t status, std::int64_t) noexcept {
  auto* ticket = static_cast<ManyTicket*>(user);
  if (ticket->calls.fetch_add(1) != 0) ++ticket->count->not_once;
  ++(status == HA_OK ? ticket->count->ended_ok : ticket->count->ended_else);
}

// Every thread asks for ends that rise; `tickets` outlive all callbacks.
void hammer(TransferService& service, Count& count, std::deque<ManyTicket>& tickets,
            std::uint64_t seed, std::atomic<std::int64_t>* shared_end) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < kWaitsEach; ++i) {
    ManyTicket& ticket = tickets.emplace_back();
    ticket.count = &count;
    ha_wait_request request{};
    request.struct_size = sizeof(request);
    request.acks =
        random() % 4 == 0 ? HA_ACKS_ALL_IN_SYNC : static_cast<std::int32_t>(2 + random() % 2);
    request.end = shared_end->fetch_add(10) + 10;
    request.timeout_ns = kLongNs;
    request.fn = count_end;
    request.user = &ticket;
    const Status status =
        service.wait(request, std::chrono::steady_clock::now().time_since_epoch());
    if (status == Status::kOk) {
      ++count.accepted;
    } else if (status == Status::kDone) {
      ++count.done;
    } else {
      ++count.refused;
    }
  }
}

TEST(TransferServiceThreads, EveryAcceptedWaitEndsExactlyOnceWhileAcksAdvance) {
  const std::uint64_t seed = ha::testing::announced_seed();
  metrics::HaMetrics metrics;
  Count count;
  std::vector<std::deque<ManyTicket>> tickets(kThreads);
  {
    Loop loop(metrics, {1, 1, INT64_MAX, false, 8});
    loop.join_two();
    std::atomic<std::int64_t> end{0};
    std::atomic<bool> asking{true};
    // Two replicas that follow the log at their own pace.
    std::thread acks([&] {
      std::mt19937_64 random(seed ^ 1);
      while (asking) {
        const std::int64_t to = end.load();
        const auto id = static_cast<core::AckTracker::ConnectionId>(1 + random() % 2);
        loop.post_and_wait([&, id, to] {
          loop.log_end = std::max(loop.log_end, to);
          loop.service().ack(id, Offset(to));
        });
      }
      loop.post_and_wait([&] {
        loop.log_end = end.load();
        loop.service().ack(1, Offset(end.load()));
        loop.service().ack(2, Offset(end.load()));
      });
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        hammer(loop.service(), count, tickets[static_cast<std::size_t>(t)],
               seed + 100 + static_cast<std::uint64_t>(t), &end);
      });
    }
    for (std::thread& thread : threads) thread.join();
    asking = false;
    acks.join();
    loop.service().refuse_new();
    EXPECT_TRUE(loop.service().wait_until_drained(
        std::chrono::steady_clock::now().time_since_epoch() + ha::testing::kPatience));
    EXPECT_EQ(loop.service().pending(), 0);
  }
  EXPECT_EQ(count.refused, 0);
  EXPECT_EQ(count.accepted + count.done, kThreads * kWaitsEach);
  EXPECT_EQ(count.ended_ok, count.accepted);
  EXPECT_EQ(count.ended_else, 0);
  EXPECT_EQ(count.not_once, 0);
}

// One thread's waits of one level end in the order of their ends, whatever the others do.
TEST(TransferServiceThreads, WaitsOfALevelEndInOffsetOrder) {
  metrics::HaMetrics metrics;
  struct Seen {
    std::map<std::int32_t, std::int64_t> last;  // level -> end; the loop's thread only
    std::atomic<int> out_of_order{0};
    std::atomic<int> calls{0};
  } seen;
  struct OrderTicket {
    Seen* seen;
    std::int32_t level;
  };
  constexpr int kEach = 2000;
  std::vector<std::deque<OrderTicket>> tickets(kThreads);
  Loop loop(metrics, {1, 1, INT64_MAX, false, 8});
  loop.join_two();
  // All waits are in before the first ack: from then on each level must be one rising line.
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        auto& ticket = tickets[static_cast<std::size_t>(t)].emplace_back();
        ticket = {&seen, 2 + i % 2};
        ha_wait_request request{};
        request.acks = ticket.level;
        request.end = 1 + (i * 7919 + t * 104729) % 100'000;
        request.timeout_ns = kLongNs;
        request.user = &ticket;
        request.fn = [](void* user, std::int32_t, std::int64_t end) noexcept {
          auto* mine = static_cast<OrderTicket*>(user);
          auto& last = mine->seen->last[mine->level];
          if (end < last) ++mine->seen->out_of_order;
          last = end;
          ++mine->seen->calls;
        };
        EXPECT_EQ(loop.service().wait(request, std::chrono::steady_clock::now().time_since_epoch()),
                  Status::kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::int64_t ack = 0; ack <= 100'000; ack += 500) {
    loop.post_and_wait([&, ack] {
      loop.log_end = 100'000;
      loop.service().ack(1, Offset(ack));
      if (ack % 1500 == 0 || ack == 100'000) loop.service().ack(2, Offset(ack));
    });
  }
  loop.service().refuse_new();
  EXPECT_TRUE(loop.service().wait_until_drained(
      std::chrono::steady_clock::now().time_since_epoch() + ha::testing::kPatience));
  EXPECT_EQ(seen.calls, kThreads * kEach);
  EXPECT_EQ(seen.out_of_order, 0);
}

// Stopping while everybody asks: each wait is refused or ends, and none stays.
TEST(TransferServiceThreads, StoppingLeavesNoWaitBehind) {
  const std::uint64_t seed = ha::testing::announced_seed();
  for (int round = 0; round < 10; ++round) {
    metrics::HaMetrics metrics;
    Count count;
    std::vector<std::deque<ManyTicket>> tickets(kThreads);
    Loop loop(metrics, {1, 1, INT64_MAX, false, 8});
    loop.join_two();
    std::atomic<std::int64_t> end{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        hammer(loop.service(), count, tickets[static_cast<std::size_t>(t)],
               seed + static_cast<std::uint64_t>(round * kThreads + t), &end);
      });
    }
    const std::int64_t stop_at = 1000 + round * 10'000;
    while (end.load() < stop_at) std::this_thread::yield();
    loop.service().refuse_new();
    loop.service().wait_until_drained(Time(0));
    loop.post_and_wait([&] { loop.service().fail_all_for_good(Status::kShutdown); });
    // From here on nothing may be pending, though threads still ask.
    const int ended_then = count.ended_else;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(loop.service().pending(), 0);
    EXPECT_EQ(count.ended_else, ended_then) << "a wait ended after the end";
    EXPECT_EQ(count.ended_else, count.accepted);
    EXPECT_EQ(count.accepted + count.refused + count.done, kThreads * kWaitsEach);
    EXPECT_EQ(count.not_once, 0);
  }
}

// HATest: what check_acks and wait answer while replicas come and go is one of the codes that the
// order of refusals allows, and nothing is lost on the way.
TEST(TransferServiceThreads, ReplicasMayComeAndGoWhileThreadsWait) {
  const std::uint64_t seed = ha::testing::announced_seed();
  metrics::HaMetrics metrics;
  Count count;
  std::vector<std::deque<ManyTicket>> tickets(kThreads);
  Loop loop(metrics, {1, 1, INT64_MAX, false, 8});
  std::atomic<std::int64_t> end{0};
  std::atomic<bool> asking{true};
  std::thread churn([&] {
    core::AckTracker::ConnectionId id = 1;
    while (asking) {
      loop.post_and_wait([&] {
        loop.log_end = std::max(loop.log_end, end.load());
        loop.service().join(id, "a", Offset(end.load()));
        loop.service().join(id + 1, "b", Offset(end.load()));
      });
      loop.post_and_wait([&] {
        loop.service().leave(id);
        loop.service().leave(id + 1);
      });
      id += 2;
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      hammer(loop.service(), count, tickets[static_cast<std::size_t>(t)],
             seed + static_cast<std::uint64_t>(t), &end);
    });
  }
  for (std::thread& thread : threads) thread.join();
  asking = false;
  churn.join();
  loop.service().refuse_new();
  loop.post_and_wait([&] { loop.service().fail_all_for_good(Status::kShutdown); });
  EXPECT_EQ(count.ended_ok + count.ended_else, count.accepted);
  EXPECT_EQ(count.not_once, 0);
}

}  // namespace
}  // namespace ha
