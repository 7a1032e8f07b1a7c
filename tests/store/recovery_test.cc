// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "store_fixture.h"

namespace stub::store {
namespace {

// The store as a kill leaves it, reopened.
struct Killed {
  TempDir dir;
  Store store;
  explicit Killed(const std::string& from) { copy_store(from, dir.path()); }
  std::optional<Error> open() { return store.open(test_options(dir.path())); }
};

// Of a run that ended with the machine's: what was not flushed may be torn.
LogOptions before_a_reboot(const std::string& dir) {
  auto options = test_options(dir);
  options.boot_id = BootId{'b', 'e', 'f', 'o', 'r', 'e'};
  return options;
}

// A mark of this boot by which the log ends at committed.
MarkValues counted_only(std::int64_t committed) {
  MarkValues mark;
  mark.committed = committed;
  mark.segment_bytes = kTestSegment;
  mark.boot = current_boot_id();
  return mark;
}

bool zero_from(const std::string& path, std::int64_t at) {
  return slurp(path).find_first_not_of('\0', static_cast<std::size_t>(at)) == std::string::npos;
}

TEST(Recovery, WhatWasAppendedIsThereAfterAKill) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 20; ++i) store.put("t", std::string(400, 'x'), i % 3);
  Killed killed(dir.path());
  ASSERT_FALSE(killed.open());
  EXPECT_EQ(killed.store.bytes(), store.bytes());
  EXPECT_EQ(killed.store.index.count("t", std::nullopt), 20);
  EXPECT_EQ(killed.store.index.count("t", 1), 7);
  EXPECT_EQ(killed.store.index.next_queue_offset("t", 1), 7);
  EXPECT_EQ(killed.store.log->bounds().durable, killed.store.log->bounds().end);
  EXPECT_FALSE(killed.store.put("t", "more").error);
}

TEST(Recovery, ATailTornAtEveryByteIsCutToTheLastWholeRecord) {
  const TempDir dir;
  Store store;
  store.open_or_die(before_a_reboot(dir.path()));
  store.put("t", "first");
  const std::int64_t whole = store.log->bounds().end;
  ASSERT_FALSE(store.log->flush(whole));
  store.put("t", "the second body", 0, {{"KEYS", "k"}});
  const std::string second = store.bytes().substr(static_cast<std::size_t>(whole));
  for (std::size_t kept = 0; kept < second.size(); ++kept) {
    // A loss of power: the mark reached the disk, the record's bytes beyond `kept` did not.
    Killed killed(dir.path());
    patch(segment_path(killed.dir.path(), 0), whole + static_cast<std::int64_t>(kept),
          std::string(second.size() - kept, '\0'));
    const std::string before = slurp(segment_path(killed.dir.path(), 0));
    ASSERT_FALSE(killed.open()) << kept;
    // Trailing zeros of the record are no loss: it is whole then.
    const bool same = before == slurp(segment_path(dir.path(), 0));
    ASSERT_EQ(killed.store.log->bounds().end,
              same ? whole + static_cast<std::int64_t>(second.size()) : whole)
        << kept;
    ASSERT_TRUE(same || zero_from(segment_path(killed.dir.path(), 0), whole)) << kept;
  }
}

TEST(Recovery, ASlavesPartialRecordIsCutAtEveryByte) {
  const std::string raw = sample_log(12, 300);  // two segments
  for (std::size_t size = 1; size <= raw.size(); size += 3) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path()));
    ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, size)));
    const std::int64_t confirm = store.log->bounds().confirm;
    if (size % 2 == 0) {
      ASSERT_FALSE(store.log->flush(static_cast<std::int64_t>(size)));
    }
    Killed killed(dir.path());
    ASSERT_FALSE(killed.open()) << size;
    ASSERT_EQ(killed.store.log->bounds().end, confirm) << size;
    // And once more, killed right after: nothing came back, nothing is taken for damage.
    Killed again(killed.dir.path());
    std::filesystem::remove(again.dir.path() + "/lock");
    ASSERT_FALSE(again.open()) << size;
    ASSERT_EQ(again.store.log->bounds().end, confirm) << size;
  }
}

TEST(Recovery, AStaleTailWithAValidChecksumNeverComesBack) {
  const TempDir dir;
  Store store;
  store.open_or_die(before_a_reboot(dir.path()));
  store.put("t", "kept");
  const std::int64_t kept = store.log->bounds().end;
  store.put("t", "cut 1");
  store.put("t", "cut 2");
  // Power fails after the first of the two tails was torn: the second one is whole and right.
  Killed killed(dir.path());
  patch(segment_path(killed.dir.path(), 0), kept + 90, "??");
  ASSERT_FALSE(killed.open());
  ASSERT_EQ(killed.store.log->bounds().end, kept);
  // A message of the very same size now ends where the stale one began.
  killed.store.put("t", "new 1");
  const std::int64_t end = killed.store.log->bounds().end;
  Killed again(killed.dir.path());
  ASSERT_FALSE(again.open());
  EXPECT_EQ(again.store.log->bounds().end, end);
  EXPECT_EQ(again.store.bodies("t"), (std::vector<std::string>{"kept", "new 1"}));
  // Also for one who has no mark to go by.
  Killed unmarked(killed.dir.path());
  std::filesystem::remove(unmarked.dir.path() + "/commit_mark");
  ASSERT_FALSE(unmarked.open());
  EXPECT_EQ(unmarked.store.bodies("t"), (std::vector<std::string>{"kept", "new 1"}));
}

TEST(Recovery, BytesBeyondTheCommittedMarkDoNotCount) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "counted");
  const std::int64_t counted = store.log->bounds().end;
  store.put("t", "not counted");
  Killed killed(dir.path());
  CommitMark mark;
  ASSERT_FALSE(mark.create(killed.dir.path(), counted_only(counted)));
  ASSERT_FALSE(killed.open());
  EXPECT_EQ(killed.store.log->bounds().end, counted);
  EXPECT_TRUE(zero_from(segment_path(killed.dir.path(), 0), counted));
}

TEST(Recovery, SegmentsBeyondTheCommittedMarkStayWhileTheyAreEmpty) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  const std::int64_t counted = store.put("t", "counted").end;
  for (int i = 0; i < 12; ++i) store.put("t", std::string(700, 'x'));  // three segments
  Killed killed(dir.path());
  CommitMark mark;
  ASSERT_FALSE(mark.create(killed.dir.path(), counted_only(counted)));
  ASSERT_FALSE(
      replace_file(segment_path(killed.dir.path(), kTestSegment), std::string(kTestSegment, '\0')));
  ASSERT_FALSE(killed.open());
  EXPECT_TRUE(std::filesystem::exists(segment_path(killed.dir.path(), kTestSegment)));
  EXPECT_FALSE(std::filesystem::exists(segment_path(killed.dir.path(), 2 * kTestSegment)));
}

TEST(Recovery, AStoreWithoutAMarkIsScanned) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 12; ++i) store.put("t", std::string(700, 'x'));
  const std::int64_t end = store.log->bounds().end;
  Killed killed(dir.path());
  std::filesystem::remove(killed.dir.path() + "/commit_mark");
  ASSERT_FALSE(killed.open());
  EXPECT_EQ(killed.store.log->bounds().end, end);
  EXPECT_EQ(killed.store.index.count("t", std::nullopt), 12);
}

TEST(Recovery, WithoutAMarkAFaultBeforeWholeSegmentsIsNotATornTail) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 12; ++i) store.put("t", std::string(700, 'x'));
  Killed killed(dir.path());
  std::filesystem::remove(killed.dir.path() + "/commit_mark");
  patch(segment_path(killed.dir.path(), 0), 100, "damage");
  const auto error = killed.open();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_CORRUPT);
  EXPECT_NE(error->text.find("Ways out"), std::string::npos) << error->text;
}

TEST(Recovery, AFaultBelowTheFlushedMarkIsNotCutInSilence) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 3; ++i) store.put("t", "body");
  const std::int64_t flushed = store.log->bounds().end;
  ASSERT_FALSE(store.log->flush(flushed));
  store.put("t", "later");
  const std::int64_t second = flushed / 3;
  Killed killed(dir.path());
  patch(segment_path(killed.dir.path(), 0), second + 4, "X");  // its magic number
  const auto error = killed.open();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_CORRUPT);
  for (const auto& words :
       {"offset " + std::to_string(second),
        std::to_string(store.log->bounds().end - second) + " bytes", std::string("Ways out")})
    EXPECT_NE(error->text.find(words), std::string::npos) << words << " in " << error->text;
  EXPECT_EQ(slurp(segment_path(killed.dir.path(), 0)).substr(static_cast<std::size_t>(second), 4),
            slurp(segment_path(dir.path(), 0)).substr(static_cast<std::size_t>(second), 4));
}

TEST(Recovery, WithinOneBootAFaultIsDamageAndNothingIsCut) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "body");
  store.put("t", "later");
  Killed killed(dir.path());
  const std::string path = segment_path(killed.dir.path(), 0);
  patch(path, 88, "B");
  const std::string before = slurp(path);
  const auto error = killed.open();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_CORRUPT);
  EXPECT_NE(error->text.find(path), std::string::npos) << error->text;
  EXPECT_NE(error->text.find("Ways out"), std::string::npos) << error->text;
  EXPECT_EQ(slurp(path), before);
}

TEST(Recovery, BodiesAreCheckedFromTheFlushedMarkOn) {
  for (const bool flush : {true, false}) {
    const TempDir dir;
    Store store;
    store.open_or_die(before_a_reboot(dir.path()));
    store.put("t", "body");
    if (flush) {
      ASSERT_FALSE(store.log->flush(store.log->bounds().end));
    }
    Killed killed(dir.path());
    patch(segment_path(killed.dir.path(), 0), 88, "B");
    ASSERT_FALSE(killed.open());
    EXPECT_EQ(killed.store.index.count("t", std::nullopt), flush ? 1 : 0);
  }
}

TEST(Recovery, AMarkTornInOneSlotIsReadFromTheOther) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::vector<std::int64_t> ends{0};
  for (int i = 0; i < 4; ++i) ends.push_back(store.put("t", "body").end);
  for (const std::int64_t slot : {0, 4096}) {
    Killed killed(dir.path());
    patch(killed.dir.path() + "/commit_mark", slot + 24, "torn");
    ASSERT_FALSE(killed.open());
    const std::int64_t end = killed.store.log->bounds().end;
    EXPECT_TRUE(end == ends[4] || end == ends[3]) << end;
  }
  Killed both(dir.path());
  patch(both.dir.path() + "/commit_mark", 24, "torn");
  patch(both.dir.path() + "/commit_mark", 4096 + 24, "torn");
  const auto error = both.open();
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find("remove the file"), std::string::npos) << error->text;
}

TEST(Recovery, ASegmentOfAnotherSizeIsNamed) {
  const TempDir dir;
  {
    Store store;
    store.open_or_die(test_options(dir.path()));
    store.put("t", "body");
  }
  Store other;
  auto error = other.open(test_options(dir.path(), 8192));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_INVALID);
  EXPECT_NE(error->text.find("4096"), std::string::npos) << error->text;
  EXPECT_NE(error->text.find("8192"), std::string::npos) << error->text;
  std::filesystem::remove(dir.path() + "/commit_mark");
  error = other.open(test_options(dir.path(), 8192));
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find(segment_path(dir.path(), 0)), std::string::npos) << error->text;
}

TEST(Recovery, ASegmentSizeThatIsNotGivenIsTheStores) {
  for (const bool marked : {true, false}) {
    const TempDir dir;
    {
      Store store;
      store.open_or_die(test_options(dir.path(), 8192));
      store.put("t", "body");
    }
    if (!marked) std::filesystem::remove(dir.path() + "/commit_mark");
    Store again;
    ASSERT_FALSE(again.open(test_options(dir.path(), 0)));
    EXPECT_EQ(again.log->segment_bytes(), 8192);
    EXPECT_EQ(again.bodies("t").size(), 1u);
  }
  const TempDir fresh;
  Store store;
  ASSERT_FALSE(store.open(test_options(fresh.path(), 0)));
  EXPECT_EQ(store.log->segment_bytes(), std::int64_t{1} << 30);
  // One that this log cannot have is named, with the store.
  const TempDir odd;
  std::filesystem::create_directories(odd.path() + "/commitlog");
  ASSERT_FALSE(replace_file(segment_path(odd.path(), 0), std::string(5000, '\0')));
  const auto error = store.open(test_options(odd.path(), 0));
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find(odd.path()), std::string::npos) << error->text;
  EXPECT_NE(error->text.find("5000"), std::string::npos) << error->text;
}

TEST(Recovery, AMissingSegmentIsNamed) {
  for (const std::int64_t base : {std::int64_t{0}, kTestSegment, 3 * kTestSegment}) {
    for (const bool marked : {true, false}) {
      const TempDir dir;
      {
        Store store;
        store.open_or_die(test_options(dir.path()));
        for (int i = 0; i < 12; ++i) store.put("t", std::string(1000, 'x'));
        ASSERT_GT(store.log->bounds().end, 3 * kTestSegment);
      }
      std::filesystem::remove(segment_path(dir.path(), base));
      if (base == 3 * kTestSegment)
        std::filesystem::remove(segment_path(dir.path(), base + kTestSegment));
      if (!marked) std::filesystem::remove(dir.path() + "/commit_mark");
      Store store;
      const auto error = store.open(test_options(dir.path()));
      // Without a mark nobody can know that the ends are missing.
      ASSERT_EQ(error.has_value(), marked || base == kTestSegment) << base;
      if (error) {
        EXPECT_NE(error->text.find(segment_path(dir.path(), base)), std::string::npos)
            << error->text;
      }
    }
  }
}

TEST(Recovery, AHalfAllocatedSegmentOfACrashIsRemoved) {
  const TempDir dir;
  {
    Store store;
    store.open_or_die(test_options(dir.path()));
    store.put("t", "body");
  }
  const std::string unfinished = segment_path(dir.path(), 5 * kTestSegment) + ".tmp";
  ASSERT_FALSE(replace_file(unfinished, "half"));
  Store store;
  ASSERT_FALSE(store.open(test_options(dir.path())));
  EXPECT_FALSE(std::filesystem::exists(unfinished));
}

TEST(Flush, DurableIsRaisedAfterTheMarkAndManyWaitersShareOneRound) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::atomic<int> done{0};
  for (int i = 0; i < 10; ++i) {
    const std::int64_t end = store.put("t", "body").end;
    store.log->when_durable(end, [&, end](const std::optional<Error>& error) {
      EXPECT_FALSE(error);
      EXPECT_GE(store.log->bounds().durable, end);
      const auto mark = CommitMark::load(dir.path());
      EXPECT_GE(std::get<std::optional<MarkValues>>(mark)->flushed, end);
      ++done;
    });
  }
  EXPECT_TRUE(eventually([&] { return done == 10; }));
}

TEST(Flush, AWaitForBytesThatAreNotThereEnds) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "body");
  const auto error = store.log->flush(1'000'000);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_TRUNCATED);
}

}  // namespace
}  // namespace stub::store
