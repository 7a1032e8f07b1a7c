// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/wait_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

// A wait's user pointer carries its number.
Wait wait_for(std::int64_t end, Level level, std::int64_t deadline, std::uintptr_t number = 0) {
  return {Offset(end), level, Time(0), Time(deadline), nullptr, reinterpret_cast<void*>(number)};
}

std::vector<std::int64_t> ends(const std::vector<EndedWait>& ended) {
  std::vector<std::int64_t> all;
  for (const EndedWait& e : ended) all.push_back(e.wait.end.bytes());
  return all;
}

TEST(WaitQueue, CompletesInOffsetOrderUpToTheOffsetReached) {
  WaitQueue queue;
  for (const std::int64_t end : {300, 100, 400, 200}) queue.add(wait_for(end, 2, 1000));
  std::vector<EndedWait> ended;
  queue.complete(2, Offset(300), ended);
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{100, 200, 300}));
  for (const EndedWait& e : ended) EXPECT_EQ(e.status, Status::kOk);
  EXPECT_EQ(queue.size(), 1u);
}

TEST(WaitQueue, AnOffsetOneShortCompletesNothing) {
  WaitQueue queue;
  queue.add(wait_for(100, 2, 1000));
  std::vector<EndedWait> ended;
  queue.complete(2, Offset(99), ended);
  EXPECT_TRUE(ended.empty());
  queue.complete(2, kNoOffset, ended);
  EXPECT_TRUE(ended.empty());
  queue.complete(2, Offset(100), ended);
  EXPECT_EQ(ended.size(), 1u);
}

TEST(WaitQueue, EqualEndsLeaveInTheOrderTheyCame) {
  WaitQueue queue;
  for (std::uintptr_t n = 0; n < 9; ++n) queue.add(wait_for(100, 2, 1000, n));
  std::vector<EndedWait> ended;
  queue.complete(2, Offset(100), ended);
  ASSERT_EQ(ended.size(), 9u);
  for (std::uintptr_t n = 0; n < 9; ++n) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(ended[n].wait.user), n);
  }
}

TEST(WaitQueue, TheOldestIsKnownOfEachLevel) {
  WaitQueue queue;
  EXPECT_EQ(queue.oldest_started(), kNever);
  EXPECT_EQ(queue.oldest_started(2), kNever);
  const auto add = [&](std::int64_t started, std::int64_t end, Level level, std::uintptr_t number) {
    Wait wait = wait_for(end, level, 1000, number);
    wait.started = Time(started);
    queue.add(wait);
  };
  add(1, 100, 3, 0);
  add(2, 300, 2, 1);
  add(3, 200, 2, 2);
  add(4, 400, 3, 3);
  EXPECT_EQ(queue.oldest_started(), Time(1));
  EXPECT_EQ(queue.oldest_started(2), Time(2));
  EXPECT_EQ(queue.lowest_end(2), Offset(200));
  std::vector<EndedWait> ended;
  queue.complete(3, Offset(100), ended);
  EXPECT_EQ(queue.oldest_started(), Time(2));
  EXPECT_EQ(queue.oldest_started(3), Time(4));
  queue.complete(2, Offset(200), ended);
  EXPECT_EQ(queue.oldest_started(2), Time(2)) << "its end is higher, and it came first";
  // All levels together end in the order they came.
  add(5, 100, 2, 4);
  ended.clear();
  queue.fail_all(Status::kShutdown, ended);
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{300, 400, 100}));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.oldest_started(2), kNever);
}

TEST(WaitQueue, LevelsDoNotHoldEachOther) {
  WaitQueue queue;
  queue.add(wait_for(100, 3, 1000));
  queue.add(wait_for(200, 2, 1000));
  queue.add(wait_for(300, kAllInSync, 1000));
  EXPECT_EQ(queue.levels(), (std::vector<Level>{kAllInSync, 2, 3}));
  std::vector<EndedWait> ended;
  queue.complete(2, Offset(200), ended);
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{200}));
  EXPECT_EQ(queue.levels(), (std::vector<Level>{kAllInSync, 3}));
}

TEST(WaitQueue, ExpiresAtTheDeadlineAndNotBefore) {
  WaitQueue queue;
  queue.add(wait_for(100, 2, 50));
  queue.add(wait_for(50, 3, 60));
  EXPECT_EQ(queue.next_deadline(), Time(50));
  std::vector<EndedWait> ended;
  queue.expire(Time(49), ended);
  EXPECT_TRUE(ended.empty());
  queue.expire(Time(50), ended);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status, Status::kFlushSlaveTimeout);
  EXPECT_EQ(ended[0].wait.end, Offset(100));
  EXPECT_EQ(queue.next_deadline(), Time(60));
  EXPECT_EQ(queue.levels(), (std::vector<Level>{3}));
}

TEST(WaitQueue, AnExpiredWaitIsNotCompletedLater) {
  WaitQueue queue;
  queue.add(wait_for(100, 2, 50));
  std::vector<EndedWait> ended;
  queue.expire(Time(50), ended);
  queue.complete(2, Offset(1000), ended);
  EXPECT_EQ(ended.size(), 1u);
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, EndsNoMoreAtOnceThanItIsAskedFor) {
  WaitQueue queue;
  for (const std::int64_t end : {300, 100, 200}) queue.add(wait_for(end, 2, 50));
  std::vector<EndedWait> ended;
  EXPECT_FALSE(queue.complete(2, Offset(1000), ended, 1));
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{100}));
  EXPECT_TRUE(queue.complete(2, Offset(200), ended, 1));
  EXPECT_TRUE(queue.complete(2, Offset(200), ended, 0));
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{100, 200}));
  queue.add(wait_for(400, 2, 40));
  queue.expire(Time(50), ended, 1);
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{100, 200, 400}));
  queue.expire(Time(50), ended, 1);
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, FailsAllInTheOrderOfArrival) {
  WaitQueue queue;
  for (const std::int64_t end : {300, 100, 200}) queue.add(wait_for(end, 2, 1000 - end));
  std::vector<EndedWait> ended;
  queue.fail_all(Status::kNotMaster, ended);
  EXPECT_EQ(ends(ended), (std::vector<std::int64_t>{300, 100, 200}));
  for (const EndedWait& e : ended) EXPECT_EQ(e.status, Status::kNotMaster);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.levels().empty());
  EXPECT_EQ(queue.next_deadline(), kNever);
  EXPECT_EQ(queue.oldest_started(), kNever);
}

TEST(WaitQueue, TellsTheOldestAlsoAfterItLeft) {
  WaitQueue queue;
  for (std::int64_t n = 1; n <= 3; ++n) {
    Wait wait = wait_for(100 * n, 2, 1000);
    wait.started = Time(n);
    queue.add(wait);
  }
  EXPECT_EQ(queue.oldest_started(), Time(1));
  std::vector<EndedWait> ended;
  queue.complete(2, Offset(200), ended);
  EXPECT_EQ(queue.oldest_started(), Time(3));
}

// Random adds, acks and deadlines beside a list that is searched from end to end.
TEST(WaitQueue, AgreesWithANaiveListUnderRandomOperations) {
  std::mt19937_64 random(ha::testing::announced_seed());
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  WaitQueue queue;
  std::vector<Wait> naive;  // in the order of arrival
  std::uintptr_t number = 0;
  std::int64_t now = 0;

  const auto check = [&](std::vector<EndedWait> ended, std::vector<Wait> expected, int step) {
    ASSERT_EQ(ended.size(), expected.size()) << "step " << step;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(ended[i].wait.user, expected[i].user) << "step " << step << " place " << i;
    }
  };
  const auto take = [&](auto belongs) {
    std::vector<Wait> taken;
    for (const Wait& w : naive) {
      if (belongs(w)) taken.push_back(w);
    }
    std::erase_if(naive, belongs);
    return taken;
  };

  for (int step = 0; step < 20'000; ++step) {
    std::vector<EndedWait> ended;
    const std::int64_t what = below(100);
    if (what < 60) {
      Wait wait = wait_for(below(200), static_cast<Level>(below(4) == 0 ? 0 : 2 + below(3)),
                           now + below(40), ++number);
      wait.started = Time(now);
      queue.add(wait);
      naive.push_back(wait);
    } else if (what < 80) {
      const auto level = static_cast<Level>(below(4) == 0 ? 0 : 2 + below(3));
      const Offset reached(below(200) - 1);
      while (!queue.complete(level, reached, ended, static_cast<std::size_t>(1 + below(3)))) {
      }
      auto expected = take([&](const Wait& w) { return w.level == level && w.end <= reached; });
      std::stable_sort(expected.begin(), expected.end(),
                       [](const Wait& a, const Wait& b) { return a.end < b.end; });
      check(ended, expected, step);
    } else if (what < 99) {
      now += below(10);
      queue.expire(Time(now), ended);
      auto expected = take([&](const Wait& w) { return w.deadline <= Time(now); });
      std::stable_sort(expected.begin(), expected.end(),
                       [](const Wait& a, const Wait& b) { return a.deadline < b.deadline; });
      check(ended, expected, step);
    } else {
      queue.fail_all(Status::kShutdown, ended);
      check(ended, std::exchange(naive, {}), step);
    }
    if (HasFatalFailure()) return;
    ASSERT_EQ(queue.size(), naive.size());
    Time deadline = kNever;
    std::map<Level, int> levels;
    for (const Wait& w : naive) {
      deadline = std::min(deadline, w.deadline);
      ++levels[w.level];
    }
    ASSERT_EQ(queue.next_deadline(), deadline);
    ASSERT_EQ(queue.oldest_started(), naive.empty() ? kNever : naive.front().started);
    std::vector<Level> active;
    for (const auto& [level, count] : levels) active.push_back(level);
    ASSERT_EQ(queue.levels(), active);
  }
}

}  // namespace
}  // namespace ha::core
