// SPDX-License-Identifier: Apache-2.0
// The readers' bound: who sees what before, between and after the plugin's confirms, a cut, a kill.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "store/commit_mark.h"
#include "store_fixture.h"

namespace stub::store {
namespace {

// A slave's store with the records of a master's log, all of topic "t", none of them confirmed.
struct Slave {
  TempDir dir;
  Store store;
  std::string raw;
  std::vector<std::int64_t> ends{0};  // of the records; ends[n] = n records

  explicit Slave(int records) {
    const TempDir master_dir;
    Store master;
    master.open_or_die(test_options(master_dir.path()));
    for (int i = 0; i < records; ++i)
      ends.push_back(master.put("t", std::string(700, static_cast<char>('a' + i)), i % 2).end);
    raw = master.bytes();
    store.open_or_die(test_options(dir.path()));
    EXPECT_FALSE(store.log->confirm(0));
    EXPECT_FALSE(append(0, static_cast<std::int64_t>(raw.size())));
  }

  std::optional<Error> append(std::int64_t from, std::int64_t to) {
    return store.log->append_raw(from,
                                 std::string_view(raw).substr(static_cast<std::size_t>(from),
                                                              static_cast<std::size_t>(to - from)));
  }
  std::int64_t seen() { return store.index.count("t", std::nullopt); }
};

// The store as a kill leaves it, reopened.
struct Killed {
  TempDir dir;
  Store store;
  explicit Killed(const std::string& from) {
    copy_store(from, dir.path());
    store.open_or_die(test_options(dir.path()));
  }
};

TEST(Confirm, WithoutItReadersSeeWhateverIsWhole) {
  const std::string raw = sample_log(3, 100);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, raw.size() - 1)));
  EXPECT_FALSE(store.log->bounded());
  EXPECT_EQ(store.log->bounds().confirm, store.log->bounds().whole_end);
  EXPECT_LT(store.log->bounds().whole_end, store.log->bounds().end);
  EXPECT_EQ(store.index.topics().size(), 2u);
}

TEST(Confirm, ReadersSeeTheRecordsThatEndAtOrBelowIt) {
  Slave slave(12);  // three segments
  EXPECT_EQ(slave.seen(), 0);
  EXPECT_TRUE(slave.store.index.topics().empty());
  for (std::int64_t offset = 0; offset <= slave.ends.back(); ++offset) {
    ASSERT_FALSE(slave.store.log->confirm(offset));
    const auto whole = std::upper_bound(slave.ends.begin(), slave.ends.end(), offset) - 1;
    ASSERT_EQ(slave.seen(), whole - slave.ends.begin()) << offset;
    const LogBounds bounds = slave.store.log->bounds();
    ASSERT_GE(bounds.confirm, *whole);
    ASSERT_LE(bounds.confirm, offset);
    ASSERT_EQ(bounds.whole_end, slave.ends.back());
  }
  EXPECT_EQ(slave.store.index.count("t", 0), 6);
  EXPECT_EQ(slave.store.bodies("t").size(), 12u);
}

TEST(Confirm, NeverMovesBackAndNeverBeyondWhatIsHeld) {
  Slave slave(4);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[2]));
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[1]));
  EXPECT_EQ(slave.store.log->bounds().confirm, slave.ends[2]);
  EXPECT_EQ(slave.store.log->confirm(-1)->status, HA_INVALID);
  // What comes later is another confirm's business: it may be another log's bytes after a cut.
  ASSERT_FALSE(slave.store.log->truncate(slave.ends[3], false));
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[4]));
  EXPECT_EQ(slave.store.log->bounds().confirm, slave.ends[3]);
  ASSERT_FALSE(slave.append(slave.ends[3], slave.ends[4]));
  EXPECT_EQ(slave.seen(), 3);
}

TEST(Confirm, TheFirstOneTakesNothingBack) {
  const std::string raw = sample_log(3, 100);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  ASSERT_FALSE(store.log->append_raw(0, raw));
  const std::int64_t seen = store.log->bounds().confirm;
  ASSERT_FALSE(store.log->confirm(0));
  EXPECT_EQ(store.log->bounds().confirm, seen);
  EXPECT_EQ(store.index.topics().size(), 3u);
}

TEST(Confirm, WakesWhoWaits) {
  Slave slave(3);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[1]));
  std::promise<void> woken;
  slave.store.index.waiters().add("t", std::nullopt, 1, [&] { woken.set_value(); });
  auto future = woken.get_future();
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[2]));
  EXPECT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(Confirm, WhatIsNotConfirmedMayBeCutAndReplaced) {
  Slave slave(6);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[2]));
  EXPECT_EQ(slave.store.log->truncate(slave.ends[2] - 1, false)->status, HA_RANGE);
  EXPECT_EQ(slave.store.log->bounds().end, slave.ends[6]);
  ASSERT_FALSE(slave.store.log->truncate(slave.ends[2], false));
  EXPECT_EQ(slave.store.log->bounds().end, slave.ends[2]);
  EXPECT_EQ(slave.seen(), 2);
  EXPECT_EQ(slave.store.index.next_queue_offset("t", 0), 1);
  // The same place, another master's record: seen once it is confirmed, and no other.
  std::string other = encode_record("u", 0, "other", {}, 1);
  place_record(other.data(), 0, slave.ends[2], 1);
  ASSERT_FALSE(slave.store.log->append_raw(slave.ends[2], other));
  EXPECT_EQ(slave.store.index.topics().size(), 1u);
  ASSERT_FALSE(slave.store.log->confirm(slave.store.log->bounds().end));
  EXPECT_EQ(slave.store.bodies("u"), std::vector<std::string>{"other"});
  EXPECT_EQ(slave.seen(), 2);
}

TEST(Confirm, AnUnsafeCutTakesItAlong) {
  Slave slave(5);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[4]));
  ASSERT_FALSE(slave.store.log->truncate(slave.ends[1], true));
  EXPECT_EQ(slave.store.log->bounds().confirm, slave.ends[1]);
  ASSERT_FALSE(slave.append(slave.ends[1], slave.ends[5]));
  EXPECT_EQ(slave.seen(), 1);
  ASSERT_FALSE(slave.store.log->reset(2 * kTestSegment));
  EXPECT_EQ(slave.store.log->bounds().confirm, 2 * kTestSegment);
  EXPECT_TRUE(slave.store.log->bounded());
}

TEST(Confirm, OutlivesAKill) {
  Slave slave(6);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[4] + 5));
  Killed killed(slave.dir.path());
  EXPECT_TRUE(killed.store.log->bounded());
  EXPECT_EQ(killed.store.log->bounds().confirm, slave.ends[4]);
  EXPECT_EQ(killed.store.log->bounds().whole_end, slave.ends[6]);
  EXPECT_EQ(killed.store.bodies("t").size(), 4u);
  ASSERT_FALSE(killed.store.log->confirm(slave.ends[6]));
  EXPECT_EQ(killed.store.bodies("t").size(), 6u);
  // A cut and a reset are remembered with it.
  ASSERT_FALSE(slave.store.log->truncate(slave.ends[2], true));
  ASSERT_FALSE(slave.append(slave.ends[2], slave.ends[6]));
  Killed cut(slave.dir.path());
  EXPECT_EQ(cut.store.bodies("t").size(), 2u);
  // A new master shows what it holds, and goes on doing so after a kill.
  slave.store.log->confirm_all();
  EXPECT_EQ(slave.seen(), 6);
  Killed master(slave.dir.path());
  EXPECT_FALSE(master.store.log->bounded());
  EXPECT_EQ(master.store.bodies("t").size(), 6u);
}

TEST(Confirm, BelowTheLogsEndAfterALossOfPower) {
  Slave slave(3);
  ASSERT_FALSE(slave.store.log->confirm(slave.ends[3]));
  TempDir dir;
  copy_store(slave.dir.path(), dir.path());
  patch(segment_path(dir.path(), 0), slave.ends[2],
        std::string(700, '\0'));  // never reached the disk
  Store store;
  auto options = test_options(dir.path());
  options.boot_id = BootId{'l', 'a', 't', 'e', 'r'};
  store.open_or_die(options);
  EXPECT_EQ(store.log->bounds().confirm, slave.ends[2]);
  ASSERT_FALSE(store.log->append_raw(
      slave.ends[2], std::string_view(slave.raw).substr(static_cast<std::size_t>(slave.ends[2]))));
  EXPECT_EQ(store.bodies("t").size(), 2u);
}

TEST(Confirm, ABoundedMastersMessagesAreStillNumberedOn) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "1");
  ASSERT_FALSE(store.log->confirm(0));
  store.put("t", "2");
  const auto third = store.put("t", "3");
  EXPECT_EQ(store.bodies("t"), std::vector<std::string>{"1"});
  ASSERT_FALSE(store.log->confirm(third.end));
  std::vector<std::int64_t> numbers;
  for (const auto offset : store.index.range("t", 0, 0, 10).offsets)
    store.log->with_record(offset, [&](const RecordView& r) { numbers.push_back(r.queue_offset); });
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{0, 1, 2}));
}

TEST(Confirm, RetentionKeepsWhatReadersHaveNotSeen) {
  Slave slave(12);
  const std::string dir = slave.dir.path();
  slave.store.close();
  auto options = test_options(dir);
  options.retention_bytes = kTestSegment;
  Store store;
  store.open_or_die(options);
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, 0);
  ASSERT_FALSE(store.log->confirm(2 * kTestSegment));
  store.log->apply_retention();
  EXPECT_EQ(store.log->bounds().min, 2 * kTestSegment);
  EXPECT_LE(store.log->bounds().min, store.log->bounds().confirm);
}

// "HAM1" as 0.1.0 wrote it: 48 bytes a slot, which end before confirm.
TEST(CommitMark, AnOlderOneStillLoads) {
  const TempDir dir;
  const std::string slot(
      "\x48\x41\x4d\x31"
      "\xfa\xfc\xb5\x85"                  // CRC-32 of the rest
      "\x00\x00\x00\x00\x00\x00\x00\x03"  // sequence
      "\x00\x00\x00\x00\x00\x00\x10\x00"  // begin
      "\x00\x00\x00\x00\x00\x00\x20\x80"  // committed
      "\x00\x00\x00\x00\x00\x00\x20\x00"  // flushed
      "\x00\x00\x00\x00\x00\x00\x10\x00"  // segment_bytes
      "\x55",                             // what the file held after it
      49);
  std::string file(8192, '\0');
  file.replace(4096, slot.size(), slot);
  ASSERT_FALSE(replace_file(dir.path() + "/commit_mark", file));
  const auto loaded = CommitMark::load(dir.path());
  ASSERT_FALSE(std::holds_alternative<Error>(loaded)) << std::get<Error>(loaded).text;
  const auto mark = *std::get<std::optional<MarkValues>>(loaded);
  EXPECT_EQ(mark.begin, 4096);
  EXPECT_EQ(mark.committed, 0x2080);
  EXPECT_EQ(mark.flushed, 0x2000);
  EXPECT_EQ(mark.segment_bytes, 4096);
  EXPECT_EQ(mark.confirm, kUnbounded);
}

}  // namespace
}  // namespace stub::store
