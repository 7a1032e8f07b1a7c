// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "store_fixture.h"

namespace stub::store {
namespace {

// Ends of the records of a log of equal messages.
std::vector<std::int64_t> fill(Store& store, int messages, std::size_t body = 700) {
  std::vector<std::int64_t> ends;
  for (int i = 0; i < messages; ++i)
    ends.push_back(store.put("t", std::string(body, static_cast<char>('a' + i))).end);
  store.log->set_writable(false);
  return ends;
}

TEST(Truncate, CutsDurablyAndNothingComesBackAfterAKill) {
  const TempDir dir, after;
  Store store;
  store.open_or_die(test_options(dir.path()));
  const auto ends = fill(store, 15);
  ASSERT_FALSE(store.log->flush(ends.back()));
  ASSERT_FALSE(store.log->truncate(ends[6], true));
  const LogBounds bounds = store.log->bounds();
  EXPECT_EQ(bounds.end, ends[6]);
  EXPECT_EQ(bounds.confirm, ends[6]);
  EXPECT_EQ(bounds.durable, ends[6]);
  EXPECT_EQ(store.index.count("t", std::nullopt), 7);
  EXPECT_FALSE(std::filesystem::exists(segment_path(dir.path(), 3 * kTestSegment)));
  copy_store(dir.path(), after.path());
  Store restarted;
  restarted.open_or_die(test_options(after.path()));
  EXPECT_EQ(restarted.log->bounds().end, ends[6]);
  // The files alone say the same.
  restarted.close();
  std::filesystem::remove(after.path() + "/commit_mark");
  Store scanned;
  scanned.open_or_die(test_options(after.path()));
  EXPECT_EQ(scanned.log->bounds().end, ends[6]);
}

TEST(Truncate, AtEveryRecordAndSegmentBoundaryTheLogGoesOn) {
  for (std::size_t kept = 0; kept < 12; ++kept) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path()));
    const auto ends = fill(store, 12);
    std::vector<std::int64_t> cuts{kept == 0 ? 0 : ends[kept - 1]};
    if (kept > 0 && ends[kept] - ends[kept - 1] > 792) cuts.push_back(ends[kept] - 792);
    for (auto cut = cuts.rbegin(); cut != cuts.rend(); ++cut) {
      ASSERT_FALSE(store.log->truncate(*cut, true)) << *cut;
      ASSERT_EQ(store.log->bounds().confirm, *cut);
    }
    const auto put = store.put("t", "after the cut");
    ASSERT_FALSE(put.error);
    const auto bodies = store.bodies("t");
    ASSERT_EQ(bodies.size(), kept + 1);
    EXPECT_EQ(bodies.back(), "after the cut");
    EXPECT_EQ(store.index.next_queue_offset("t", 0), static_cast<std::int64_t>(kept) + 1);
  }
}

TEST(Truncate, BelowConfirmOnlyWhenUnsafe) {
  const TempDir dir;
  const std::string raw = sample_log(3, 100);
  Store store;
  store.open_or_die(test_options(dir.path()));
  ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, raw.size() - 10)));
  const LogBounds bounds = store.log->bounds();
  ASSERT_LT(bounds.confirm, bounds.end);
  EXPECT_EQ(store.log->truncate(bounds.confirm - 1, false)->status, HA_RANGE);
  EXPECT_EQ(store.log->truncate(bounds.end + 1, true)->status, HA_RANGE);
  EXPECT_EQ(store.log->truncate(-1, true)->status, HA_RANGE);
  ASSERT_FALSE(store.log->truncate(bounds.confirm, false));  // the partial tail goes
  EXPECT_EQ(store.log->bounds().end, bounds.confirm);
  ASSERT_FALSE(
      store.log->append_raw(bounds.confirm, raw.substr(static_cast<std::size_t>(bounds.confirm))));
  EXPECT_EQ(store.bytes(), raw);
}

TEST(Truncate, DoesNotWaitForBorrowersOfTheBytes) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  const auto ends = fill(store, 6, 100);
  Lease lease;
  ASSERT_EQ(store.log->lend(ends[2], 50, lease), HA_OK);
  const std::string seen(lease.data(), 50);
  EXPECT_EQ(store.log->truncate(ends[1], true)->status, HA_AGAIN);
  EXPECT_EQ(store.log->truncate(ends[2] + 49, true)->status, HA_AGAIN);
  EXPECT_EQ(store.log->reset(0)->status, HA_AGAIN);
  EXPECT_EQ(store.log->bounds().end, ends.back());
  EXPECT_EQ(std::string(lease.data(), 50), seen);
  EXPECT_FALSE(store.log->truncate(ends[2] + 50, true));  // does not touch them
  EXPECT_EQ(store.log->bounds().confirm, ends[2]);
  EXPECT_TRUE(store.log->give_back(lease.token));
  EXPECT_FALSE(store.log->give_back(lease.token));
  EXPECT_FALSE(store.log->truncate(ends[1], true));
}

TEST(Truncate, WaitsForAReaderInsideTheStore) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  fill(store, 3, 100);
  std::atomic<bool> cut{false};
  std::thread cutter;
  store.log->with_record(0, [&](const RecordView& record) {
    cutter = std::thread([&] {
      EXPECT_FALSE(store.log->truncate(0, true));
      cut = true;
    });
    // Time enough for a cut that does not wait; one that does is not hurried by it.
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    while (!cut && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_FALSE(cut);
    EXPECT_EQ(record.body, std::string(100, 'a'));
  });
  cutter.join();
  EXPECT_EQ(store.log->bounds().end, 0);
}

TEST(Lend, IsBoundedInNumberAndStaysInsideItsSegment) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.max_lent = 2;
  store.open_or_die(options);
  fill(store, 8);
  Lease a, b, c;
  ASSERT_EQ(store.log->lend(10, 1 << 20, a), HA_OK);
  EXPECT_EQ(a.size, kTestSegment - 10);
  ASSERT_EQ(store.log->lend(kTestSegment, 5, b), HA_OK);
  EXPECT_EQ(b.size, 5);
  EXPECT_EQ(b.segment->base(), kTestSegment);
  EXPECT_EQ(store.log->lend(0, 1, c), HA_AGAIN);
  std::int64_t got = 0;
  char byte = 0;
  EXPECT_EQ(store.log->read(0, &byte, 1, got), HA_OK);  // the fallback is not bounded
  store.log->give_back(a.token);
  EXPECT_EQ(store.log->lend(0, 1, c), HA_OK);
  EXPECT_EQ(store.log->lend(store.log->bounds().end, 1, a), HA_RANGE);
  EXPECT_EQ(store.log->lend(-1, 1, a), HA_RANGE);
  store.log->give_back(b.token);
  store.log->give_back(c.token);
}

TEST(Lend, ATruncatedMasterDoesNotExist) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "body");
  EXPECT_EQ(store.log->truncate(0, true)->status, HA_STATE);
  EXPECT_EQ(store.log->reset(0)->status, HA_STATE);
}

TEST(Reset, RestartsTheLogAtASegmentAlsoAfterAKill) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  fill(store, 9);
  EXPECT_EQ(store.log->reset(100)->status, HA_INVALID);
  for (const std::int64_t min : {5 * kTestSegment, kTestSegment}) {
    ASSERT_FALSE(store.log->reset(min));
    const LogBounds bounds = store.log->bounds();
    EXPECT_EQ(bounds.min, min);
    EXPECT_EQ(bounds.end, min);
    EXPECT_TRUE(store.index.topics().empty());
    TempDir after;
    copy_store(dir.path(), after.path());
    Store restarted;
    restarted.open_or_die(test_options(after.path()));
    EXPECT_EQ(restarted.log->bounds().min, min);
    EXPECT_EQ(restarted.log->bounds().end, min);
    EXPECT_EQ(restarted.put("t", "first").first, min);
  }
}

TEST(RecordFloor, FindsTheBoundaryAtOrBelowEveryOffset) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::vector<std::int64_t> bounds_of_records{0};
  for (int i = 0; i < 7; ++i) {
    const auto put = store.put("t", std::string(900, 'x'));
    if (put.first != bounds_of_records.back()) bounds_of_records.push_back(put.first);
    bounds_of_records.push_back(put.end);
  }
  for (std::int64_t offset = 0; offset <= store.log->bounds().end; ++offset) {
    const auto floor = store.log->record_floor(offset);
    const auto expected =
        *std::prev(std::upper_bound(bounds_of_records.begin(), bounds_of_records.end(), offset));
    ASSERT_EQ(std::get<std::int64_t>(floor), expected) << offset;
  }
  EXPECT_EQ(std::get<Error>(store.log->record_floor(store.log->bounds().end + 1)).status, HA_RANGE);
  EXPECT_EQ(std::get<Error>(store.log->record_floor(-1)).status, HA_RANGE);
}

}  // namespace
}  // namespace stub::store
