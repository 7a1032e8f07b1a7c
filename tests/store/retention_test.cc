// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kMin3 = 3 * kTestSegment;

// The store's time, which a test moves.
struct Clock {
  std::atomic<std::int64_t> wall{1'000'000};
  std::atomic<std::int64_t> steady{500};
  void set(LogOptions& options) {
    options.now_ms = [this] { return wall.load(); };
    options.steady_ms = [this] { return steady.load(); };
  }
};

// What retention leaves of a log whose bytes are all durable: its new beginning.
std::int64_t retained(Store& store) {
  EXPECT_FALSE(store.log->flush(store.log->bounds().end));
  store.log->apply_retention();
  return store.log->bounds().min;
}

TEST(Retention, BySizeTakesWholeOldestSegments) {
  const TempDir dir, after;
  Store store;
  auto options = test_options(dir.path());
  options.retention_bytes = 2 * kTestSegment;
  store.open_or_die(options);
  for (int i = 0; i < 18; ++i) store.put("t", std::string(1000, static_cast<char>('a' + i)));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  store.log->apply_retention();
  const LogBounds bounds = store.log->bounds();
  EXPECT_GT(bounds.min, 0);
  EXPECT_EQ(bounds.min % kTestSegment, 0);
  EXPECT_LE(bounds.end - bounds.min, 2 * kTestSegment);
  EXPECT_GT(bounds.end - bounds.min, kTestSegment);
  EXPECT_FALSE(std::filesystem::exists(segment_path(dir.path(), 0)));
  const auto range = store.index.range("t", std::nullopt, 0, 100);
  ASSERT_FALSE(range.offsets.empty());
  EXPECT_EQ(range.offsets[0], bounds.min);
  EXPECT_EQ(store.index.next_queue_offset("t", 0), 18);
  const auto bodies = store.bodies("t");
  copy_store(dir.path(), after.path());
  Store restarted;
  restarted.open_or_die(test_options(after.path()));
  EXPECT_EQ(restarted.log->bounds().min, bounds.min);
  EXPECT_EQ(restarted.bodies("t"), bodies);
  EXPECT_EQ(restarted.put("t", "more").error, std::nullopt);
  EXPECT_EQ(restarted.index.next_queue_offset("t", 0), 19);
}

TEST(Retention, NeverTakesTheLastSegmentNorBytesThatAreNotDurable) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.retention_bytes = 1;
  store.open_or_die(options);
  for (int i = 0; i < 9; ++i) store.put("t", std::string(1000, 'x'));
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, 0);
  EXPECT_EQ(retained(store), store.log->bounds().end / kTestSegment * kTestSegment);
  EXPECT_EQ(store.log->segment_count(), 1u);
}

TEST(Retention, WhatIsHeldStaysUntilTheHoldMovesOn) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.retention_bytes = 1;
  store.open_or_die(options);
  for (int i = 0; i < 18; ++i) store.put("t", std::string(1000, 'x'));
  store.log->hold_from(kTestSegment + 1);  // first: the keeper's thread looks as well
  EXPECT_EQ(retained(store), kTestSegment);
  store.log->hold_from(kNoLimit);
  store.log->apply_retention();
  EXPECT_GT(store.log->bounds().min, kTestSegment);
}

TEST(Retention, ByAgeGoesByTheNextSegmentsFirstMessage) {
  const TempDir dir;
  std::atomic<std::int64_t> now{1'000'000};  // the keeper's thread looks at it too
  Store store;
  auto options = test_options(dir.path());
  options.now_ms = options.steady_ms = [&now] { return now.load(); };
  options.retention_ms = 1000;
  store.open_or_die(options);
  for (int i = 0; i < 12; ++i) {
    store.put("t", std::string(1000, 'x'));  // three a segment, 100 ms apart
    now += 100;
  }
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  now = 1'000'000 + 1000 + 300;  // the second segment's first message is just 1000 ms old
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, 0);
  now += 1;
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, kTestSegment);
  now += 1'000'000;
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, kMin3);
}

TEST(Retention, AJumpOfTheClockMakesNothingOlder) {
  const TempDir dir, later;
  Clock clock;
  auto options = test_options(dir.path());
  clock.set(options);
  options.retention_ms = 1000;
  Store store;
  store.open_or_die(options);
  for (int i = 0; i < 12; ++i) store.put("t", std::string(1000, 'x'));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  clock.wall += 1'000'000;
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, 0);
  copy_store(dir.path(), later.path());
  clock.steady += 1001;
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, kMin3);

  // At an open the system's clock is all there is.
  options.store_dir = later.path();
  Store reopened;
  reopened.open_or_die(options);
  reopened.log->apply_retention();
  EXPECT_EQ(reopened.log->bounds().min, kMin3);
}

TEST(Retention, ASlaveCountsTheAgeThatBytesHadWhenTheyCame) {
  const TempDir master_dir, dir;
  Clock clock;
  auto options = test_options(master_dir.path());
  clock.set(options);
  options.retention_ms = 1000;
  Store master, slave;
  master.open_or_die(options);
  for (int i = 0; i < 12; ++i) master.put("t", std::string(1000, 'x'));
  clock.wall += 600;
  clock.steady += 600;
  options.store_dir = dir.path();
  slave.open_or_die(options);
  ASSERT_FALSE(slave.log->append_raw(0, master.bytes()));
  ASSERT_FALSE(slave.log->flush(slave.log->bounds().end));
  clock.wall += 300;
  clock.steady += 300;
  slave.log->apply_retention();
  EXPECT_EQ(slave.log->bounds().min, 0);
  clock.wall += 101;
  clock.steady += 101;
  slave.log->apply_retention();
  EXPECT_EQ(slave.log->bounds().min, kMin3);
}

TEST(Retention, StopsAtAPin) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.retention_bytes = 1;
  store.open_or_die(options);
  for (int i = 0; i < 12; ++i) store.put("t", std::string(1000, 'x'));
  Lease lease;
  ASSERT_EQ(store.log->lend(kTestSegment + 7, 10, lease), HA_OK);
  EXPECT_EQ(retained(store), kTestSegment);
  EXPECT_TRUE(std::filesystem::exists(segment_path(dir.path(), kTestSegment)));
  store.log->give_back(lease.token);
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, kMin3);
}

TEST(Retention, KeepsWhatIsScheduledAndNotDelivered) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.retention_bytes = 1;
  store.open_or_die(options);
  store.put("t", std::string(1000, 'x'));
  const auto scheduled = store.put(std::string(kScheduleTopic), "later", 0,
                                   {{kRealTopic, "t"}, {kRealQueue, "0"}, {kDeliverAt, "9"}});
  for (int i = 0; i < 12; ++i) store.put("t", std::string(1000, 'x'));
  EXPECT_EQ(retained(store), 0);
  store.put("t", "later", 0, {{kSourceOffset, std::to_string(scheduled.first)}});
  EXPECT_GT(retained(store), 0);
}

}  // namespace
}  // namespace stub::store
