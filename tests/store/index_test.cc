// SPDX-License-Identifier: Apache-2.0
#include "store/index.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "store_fixture.h"

namespace stub::store {
namespace {

TEST(Index, CountsByTopicAndQueueInLogOrder) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("a", "1", 0);
  store.put("b", "2", 0);
  store.put("a", "3", 1);
  store.put("a", "4", 0);
  EXPECT_EQ(store.bodies("a"), (std::vector<std::string>{"1", "3", "4"}));
  EXPECT_EQ(store.bodies("a", 0), (std::vector<std::string>{"1", "4"}));
  EXPECT_EQ(store.bodies("a", 1), (std::vector<std::string>{"3"}));
  EXPECT_EQ(store.index.count("c", std::nullopt), 0);
  EXPECT_EQ(store.index.count("a", 7), 0);
  EXPECT_EQ(store.index.range("a", std::nullopt, 1, 1).offsets.size(), 1u);
  EXPECT_TRUE(store.index.range("a", std::nullopt, store.log->bounds().end, 1).offsets.empty());
  EXPECT_EQ(store.index.next_queue_offset("a", 0), 2);
}

TEST(Index, AQueueKnowsItsFirstMessageWhenOldOnesGo) {
  Index index;
  const auto record = [&](std::int64_t offset, std::int64_t queue_offset) {
    RecordView view;
    view.topic = "a";
    view.offset = offset;
    view.size = 10;
    view.queue_offset = queue_offset;
    index.on_record(view);
  };
  EXPECT_EQ(index.first_queue_offset("a", 0), 0);
  // A log that begins later than its queue.
  for (int i = 0; i < 4; ++i) record(100 + 10 * i, 7 + i);
  EXPECT_EQ(index.first_queue_offset("a", 0), 7);
  index.on_trim(120);
  EXPECT_EQ(index.count("a", 0), 2);
  EXPECT_EQ(index.first_queue_offset("a", 0), 9);
  index.on_trim(1000);
  EXPECT_EQ(index.count("a", 0), 0);
  EXPECT_EQ(index.first_queue_offset("a", 0), 11);
  record(1000, 11);
  EXPECT_EQ(index.first_queue_offset("a", 0), 11);
  EXPECT_EQ(index.first_queue_offset("b", 0), 0);
  EXPECT_EQ(index.first_queue_offset("a", 3), 0);
}

TEST(Index, AQueueEndsBehindTheLastMessageThatReadersMaySee) {
  Index index;
  RecordView view;
  view.topic = "a";
  view.size = 10;
  const auto record = [&](std::int64_t offset, std::int64_t queue_offset) {
    view.offset = offset;
    view.queue_offset = queue_offset;
    index.on_record(view);
  };
  EXPECT_EQ(index.end_queue_offset("a", 0), 0);
  record(0, 0);
  EXPECT_EQ(index.end_queue_offset("a", 0), 1);
  index.on_confirm(10);
  record(10, 1);
  EXPECT_EQ(index.end_queue_offset("a", 0), 1);
  EXPECT_EQ(index.next_queue_offset("a", 0), 2);
  index.on_confirm(20);
  EXPECT_EQ(index.end_queue_offset("a", 0), 2);
  index.on_trim(20);
  EXPECT_EQ(index.end_queue_offset("a", 0), 2);
}

// An index that is told records of one topic and queue, 10 bytes each.
struct Told {
  Index index;
  std::int64_t end = 0;

  void record(std::int64_t queue_offset, const std::string& topic = "a", int queue = 0) {
    RecordView view;
    view.topic = topic;
    view.queue = queue;
    view.offset = end;
    view.size = 10;
    view.queue_offset = queue_offset;
    index.on_record(view);
    end += 10;
  }
  std::vector<std::int64_t> from(std::int64_t cursor, std::int64_t max = 100) {
    return index.range("a", 0, cursor, max).queue_offsets;
  }
};
using Numbers = std::vector<std::int64_t>;

TEST(Index, AQueueCursorStaysWithItsMessageWhenOldOnesGo) {
  Told told;
  for (int i = 0; i < 6; ++i) told.record(i);
  EXPECT_EQ(told.from(4), (Numbers{4, 5}));
  told.index.on_trim(30);
  EXPECT_EQ(told.from(4), (Numbers{4, 5}));
  const auto below = told.index.range("a", 0, 1, 2);
  EXPECT_EQ(below.queue_offsets, (Numbers{3, 4}));
  EXPECT_EQ(below.offsets, (Numbers{30, 40}));
  EXPECT_EQ(below.first, 3);
  EXPECT_EQ(below.end, 6);
  EXPECT_FALSE(below.all);
  EXPECT_TRUE(told.from(6).empty());
  EXPECT_TRUE(told.from(INT64_MAX).empty());
}

TEST(Index, ATopicCursorIsALogOffset) {
  Told told;
  for (int i = 0; i < 4; ++i) told.record(i, i == 2 ? "b" : "a");
  auto range = told.index.range("a", std::nullopt, 5, 100);
  EXPECT_EQ(range.offsets, (Numbers{10, 30}));
  EXPECT_EQ(range.first, 0);
  EXPECT_EQ(range.end, 40);
  told.index.on_trim(20);
  range = told.index.range("a", std::nullopt, 10, 100);
  EXPECT_EQ(range.offsets, (Numbers{30}));
  EXPECT_EQ(range.first, 20);
  EXPECT_EQ(told.index.range("none", std::nullopt, 0, 100).end, 40);
}

TEST(Index, CursorsFindTheirPlaceAcrossGaps) {
  Told told;
  for (const std::int64_t number : {0, 1, 5, 6, 20}) told.record(number);
  EXPECT_EQ(told.from(0), (Numbers{0, 1, 5, 6, 20}));
  EXPECT_EQ(told.from(1), (Numbers{1, 5, 6, 20}));
  EXPECT_EQ(told.from(2), (Numbers{5, 6, 20}));
  EXPECT_EQ(told.from(6), (Numbers{6, 20}));
  EXPECT_EQ(told.from(7), (Numbers{20}));
  EXPECT_TRUE(told.from(21).empty());
  told.index.on_trim(30);
  EXPECT_EQ(told.from(0), (Numbers{6, 20}));
  EXPECT_EQ(told.index.first_queue_offset("a", 0), 6);
  told.index.on_truncate(40, [](std::int64_t, RecordView&) { return false; });
  EXPECT_EQ(told.from(0), (Numbers{6}));
  EXPECT_EQ(told.index.next_queue_offset("a", 0), 20);
}

TEST(Index, NumbersThatStartAgainGoOnInstead) {
  Told told;
  for (const std::int64_t number : {7, 8, 0, 1, 2}) told.record(number);
  EXPECT_EQ(told.from(0), (Numbers{7, 8, 9, 10, 11}));
  const auto range = told.index.range("a", std::nullopt, 0, 100);
  EXPECT_TRUE(range.renumbered);
  EXPECT_EQ(told.index.queue_offset_of("a", 0, 30), 10);
  EXPECT_EQ(told.index.next_queue_offset("a", 0), 12);
  // And what nobody can have counted up to.
  for (const std::int64_t number : {INT64_MAX, INT64_MIN}) told.record(number);
  EXPECT_EQ(told.from(12), (Numbers{12, 13}));
  EXPECT_EQ(told.index.next_queue_offset("a", 0), 14);
}

TEST(Index, AListOfTopicsLetsTheLogGoOn) {
  Told told;
  const int topics = 3 * static_cast<int>(kQueuesPerLook);
  for (int i = 0; i < topics; ++i) told.record(0, "topic " + std::to_string(i));
  int looks = 1;
  const auto listed = told.index.topics([&] {
    ++looks;
    told.record(looks, "zzz");  // would never return if the walk held the mutex
  });
  EXPECT_GE(looks, 2 * topics / static_cast<int>(kQueuesPerLook));
  EXPECT_EQ(listed.size(), static_cast<std::size_t>(topics) + 1);
  EXPECT_EQ(listed.front().messages, 1);
  EXPECT_EQ(listed.front().queues, 1);
}

TEST(Index, CountsFollowATrimAndACut) {
  Told told;
  for (int i = 0; i < 5; ++i) told.record(0, "a", i);
  told.index.on_trim(20);
  told.index.on_truncate(40, [](std::int64_t, RecordView&) { return false; });
  const auto topics = told.index.topics();
  ASSERT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics[0].messages, 2);
  EXPECT_EQ(topics[0].queues, 5);  // empty ones stay
  told.index.after_trim();
  EXPECT_EQ(told.index.count("a", std::nullopt), 2);
}

TEST(Index, ShrinksWithACutAndSaysSo) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("a", "1", 0);
  const auto second = store.put("a", "2", 0);
  store.put("b", "3", 0);
  store.log->set_writable(false);
  const auto version = store.index.version();
  ASSERT_FALSE(store.log->truncate(second.first, true));
  EXPECT_NE(store.index.version(), version);
  EXPECT_EQ(store.bodies("a"), (std::vector<std::string>{"1"}));
  EXPECT_EQ(store.index.count("b", std::nullopt), 0);
  EXPECT_EQ(store.index.next_queue_offset("a", 0), 1);
  EXPECT_EQ(store.index.next_queue_offset("b", 0), 0);
}

TEST(Index, ScheduledMessagesAreHiddenAndKnown) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  const auto put = store.put(std::string(kScheduleTopic), "later", 0,
                             {{kRealTopic, "t"}, {kRealQueue, "0"}, {kDeliverAt, "123"}});
  EXPECT_TRUE(store.index.topics().empty());
  EXPECT_EQ(store.index.schedule().next(), (Due{123, put.first}));
}

TEST(Index, ADeliveryThatIsCutIsDueAgain) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  const auto source = store.put(std::string(kScheduleTopic), "later", 0,
                                {{kRealTopic, "t"}, {kRealQueue, "0"}, {kDeliverAt, "123"}});
  const auto delivery = store.put("t", "later", 0, {{kSourceOffset, std::to_string(source.first)}});
  EXPECT_EQ(store.index.schedule().pending(), 0u);
  store.log->set_writable(false);
  ASSERT_FALSE(store.log->truncate(delivery.first, true));
  EXPECT_EQ(store.index.schedule().next(), (Due{123, source.first}));
  ASSERT_FALSE(store.log->truncate(source.first, true));
  EXPECT_EQ(store.index.schedule().pending(), 0u);
}

TEST(Index, ARestartedNodeKnowsWhatItsLogDelivered) {
  const TempDir dir;
  {
    Store store;
    store.open_or_die(test_options(dir.path()));
    for (const char* at : {"5", "6"})
      store.put(std::string(kScheduleTopic), at, 0,
                {{kRealTopic, "t"}, {kRealQueue, "0"}, {kDeliverAt, at}});
    store.put("t", "5", 0, {{kSourceOffset, "0"}});
  }
  Store store;
  store.open_or_die(test_options(dir.path()));
  EXPECT_EQ(store.index.schedule().pending(), 1u);
  EXPECT_EQ(store.index.schedule().next()->deliver_at_ms, 6);
}

TEST(Waiters, WakeOnceWhenThereIsMoreThanWasSeen) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::promise<void> woken;
  store.index.waiters().add("t", 1, 0, [&] { woken.set_value(); });  // twice would throw
  store.put("t", "other queue", 0);
  store.put("u", "other topic", 1);
  auto future = woken.get_future();
  // Nothing of these may wake it: the message that does is the one that follows.
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  store.put("t", "this one", 1);
  EXPECT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  store.put("t", "and more", 1);
}

TEST(Waiters, WakeAtOnceWhenItIsThereAlreadyAndAtStop) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "body");
  int woken = 0;
  store.index.waiters().add("t", std::nullopt, 0, [&] { ++woken; });
  EXPECT_EQ(woken, 1);
  store.index.waiters().add("t", std::nullopt, 1, [&] { ++woken; });
  EXPECT_EQ(woken, 1);
  store.index.waiters().stop();
  EXPECT_EQ(woken, 2);
  store.index.waiters().add("t", std::nullopt, 1, [&] { ++woken; });
  EXPECT_EQ(woken, 3);
}

TEST(Waiters, AMessageWakesThoseWhoseCursorItReaches) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::mutex mutex;
  std::multiset<std::string> woken;
  std::condition_variable changed;
  const auto add = [&](std::optional<std::int32_t> queue, std::int64_t cursor,
                       const std::string& name) {
    return store.index.waiters().add("t", queue, cursor, [&, name] {
      const std::lock_guard lock(mutex);
      woken.insert(name);
      changed.notify_all();
    });
  };
  const auto become = [&](const std::multiset<std::string>& expected) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return woken == expected; });
    EXPECT_EQ(woken, expected);
  };
  add(1, 2, "queue 1 from 2");
  add(1, 0, "queue 1 from 0");
  add(1, 0, "queue 1 from 0");
  const auto cancelled = add(1, 1, "cancelled");
  add(1, 1, "queue 1 from 1");
  add(2, 0, "queue 2");
  add(std::nullopt, 1, "any queue from 1");
  const auto idle = add(std::nullopt, 1 << 20, "far away");
  store.index.waiters().cancel(cancelled);
  std::multiset<std::string> expected{"queue 1 from 0", "queue 1 from 0"};
  store.put("t", "first", 1);
  become(expected);
  store.put("t", "second", 1);
  expected.insert({"queue 1 from 1", "any queue from 1"});
  become(expected);
  store.put("t", "third", 2);
  expected.insert("queue 2");
  become(expected);
  store.put("t", "fourth", 1);
  expected.insert("queue 1 from 2");
  become(expected);
  store.index.waiters().cancel(idle);
  store.index.waiters().stop();
  become(expected);
}

TEST(Waiters, AfterCancelReturnsItDoesNotRun) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 300; ++i) {
    auto alive = std::make_unique<std::atomic<int>>(0);
    const auto id = store.index.waiters().add("t", std::nullopt, i, [&] { alive->fetch_add(1); });
    store.put("t", "body");  // wakes it, on the waiters' thread
    store.index.waiters().cancel(id);
    alive.reset();  // a wake after this would be a use after free
  }
}

}  // namespace
}  // namespace stub::store
