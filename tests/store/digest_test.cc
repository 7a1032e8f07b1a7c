// SPDX-License-Identifier: Apache-2.0
// A start that uses digests must know what one that reads the whole log knows.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <random>

#include "digest_fixture.h"
#include "file_calls.h"
#include "store/verify.h"

namespace stub::store {
namespace {

namespace fs = std::filesystem;

TEST(Digest, SaysWhatWasPutInAndNothingElseIsOne) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    const std::string log = any_log(random, 5000, 7 * kSegment);
    DigestBuilder builder(7 * kSegment);
    std::vector<RecordView> records;
    std::vector<ScheduleNote> notes;
    for (std::size_t at = 0; at < 5000;) {
      const auto size = load32(log.data() + at);
      RecordView record;
      ASSERT_TRUE(decode_record(std::string_view(log).substr(at, size), record));
      builder.add(record);
      records.push_back(record);
      if (const auto note = schedule_note(record); note && record.for_consumers())
        notes.push_back(*note);
      at += size;
    }
    const std::int64_t end = records.back().offset + records.back().size;
    const std::string content = builder.finish(end, kSegment, 77);
    Digest read;
    ASSERT_TRUE(parse_digest(content, read));
    EXPECT_EQ(read.begin, 7 * kSegment);
    EXPECT_EQ(read.end, end);
    EXPECT_EQ(read.segment_bytes, kSegment);
    EXPECT_EQ(read.edges, 77u);
    EXPECT_EQ(read.notes, notes);
    ASSERT_EQ(read.records.size(), records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      const auto& got = read.records[i];
      EXPECT_EQ(got.offset, records[i].offset);
      EXPECT_EQ(got.end, records[i].offset + records[i].size);
      ASSERT_EQ(got.queue != Digest::kNoQueue, records[i].for_consumers());
      if (got.queue == Digest::kNoQueue) continue;
      EXPECT_EQ(got.queue_offset, records[i].queue_offset);
      EXPECT_EQ(read.queues[got.queue].topic, records[i].topic);
      EXPECT_EQ(read.queues[got.queue].number, records[i].queue);
    }
    for (std::size_t at = 0; at < content.size(); ++at) {
      EXPECT_FALSE(parse_digest(std::string_view(content).substr(0, at), read)) << at;
      std::string wrong = content;
      wrong[at] = static_cast<char>(wrong[at] ^ 1 << at % 8);
      EXPECT_FALSE(parse_digest(wrong, read)) << at;
      // With a checksum that is right: anything but a read beyond its end.
      store32(wrong.data() + 4, add_to_sum(0, std::string_view(wrong).substr(8)));
      parse_digest(wrong, read);
    }
  }
}

TEST(Digest, AStartWithThemKnowsWhatAWalkKnows) {
  for (unsigned seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const bool trims = seed % 3 == 1;
    const TempDir dir;
    auto options = small_pieces(dir.path());
    if (trims) options.retention_bytes = 3 * kSegment;
    for (int times = 0; times < 4; ++times) {
      Store store;
      store.open_or_die(options);
      grow(store, any_log(random, kSegment + static_cast<std::int64_t>(random() % 5000),
                          store.log->bounds().end, !trims));
      store.log->apply_retention();
      store.close();
      expect_equal_to_a_walk(dir.path());
    }
    Store store;
    options.retention_bytes = 0;
    store.open_or_die(options);
    EXPECT_EQ(store.log->bounds().min > 0, trims);
    const Opened quick = start(dir.path(), true);
    EXPECT_GT(quick.digested, 3 * quick.walked);
    EXPECT_TRUE(quick.warnings.empty());
    // Records that are not durable, not confirmed, not whole.
    const std::int64_t end = store.log->bounds().end;
    const std::string more = any_log(random, 3000, end);
    ASSERT_FALSE(store.log->append_raw(end, std::string_view(more).substr(0, 2500)));
    expect_equal_to_a_walk(dir.path());
  }
}

TEST(Digest, AnOldStoreGetsThemAtItsFirstStart) {
  const TempDir dir;
  std::mt19937 random(1);
  {
    Store store;
    auto options = small_pieces(dir.path());
    options.digest_bytes = 2 * kSegment;  // none
    store.open_or_die(options);
    grow(store, any_log(random, 5 * kSegment));
  }
  EXPECT_FALSE(fs::exists(digest_dir(dir.path())));
  Store store;
  store.open_or_die(small_pieces(dir.path()));
  EXPECT_EQ(digests(dir.path()).size(), 20u);
  store.close();
  const Opened quick = start(dir.path(), true);
  EXPECT_GT(quick.digested, 10 * quick.walked);
  expect_equal_to_a_walk(dir.path());
}

TEST(Digest, OneThatIsNotRightIsReplacedByAWalk) {
  Digested store;
  const std::string path = digest_path(store.dir.path(), kSegment);
  const std::string whole = slurp(path);
  Digest digest;
  ASSERT_TRUE(parse_digest(whole, digest));
  const auto other = [&](std::size_t at, std::uint64_t value) {
    std::string out = whole;
    store64(out.data() + at, value);
    store32(out.data() + 4, add_to_sum(0, std::string_view(out).substr(8)));
    return out;
  };
  const auto all = start(store.dir.path(), true).walked;
  const std::string wrong[] = {"",
                               whole.substr(0, whole.size() / 2),
                               whole + "x",
                               std::string(5000, '\xAA'),
                               std::string(1 << 20, '\0'),
                               other(24, 8 * kSegment),
                               other(16, static_cast<std::uint64_t>(kSegment)),
                               other(16, static_cast<std::uint64_t>(9 * kSegment)),
                               slurp(digest_path(store.dir.path(), 0)),
                               slurp(digest_path(store.dir.path(), digest.end))};
  for (const auto& content : wrong) {
    ASSERT_FALSE(replace_file(path, content));
    const Opened quick = start(store.dir.path(), true);
    EXPECT_EQ(quick.walked, all + digest.records.size()) << content.size();
    EXPECT_TRUE(quick.warnings.empty());
    expect_equal_to_a_walk(store.dir.path());
  }
  // The start has made it anew.
  Store opened;
  opened.open_or_die(small_pieces(store.dir.path()));
  EXPECT_EQ(slurp(path), whole);
}

TEST(Digest, WhatCannotBeReadIsOneWarning) {
  Digested store;
  for (const std::int64_t begin : {std::int64_t{0}, kSegment}) {
    const std::string path = digest_path(store.dir.path(), begin);
    fs::remove(path);
    fs::create_directories(path + "/in the way");
  }
  const Opened quick = start(store.dir.path(), true);
  EXPECT_EQ(quick.error, "");
  EXPECT_EQ(quick.warnings.size(), 1u);
  expect_equal_to_a_walk(store.dir.path());
}

TEST(Digest, WhatCannotBeWrittenIsOneWarning) {
  const TempDir dir;
  std::mt19937 random(2);
  std::vector<std::string> warnings;
  Store store;
  auto options = small_pieces(dir.path());
  options.warning = [&](const std::string& text) { warnings.push_back(text); };
  store.open_or_die(options);
  std::atomic<int> tries{0};
  {
    // The log itself writes by other calls.
    const test::FileCalls calls([&](const std::string& name) {
      if (name != "half a write" && name != "write") return 0;
      ++tries;
      return ENOSPC;
    });
    grow(store, any_log(random, 2 * kSegment));
    ASSERT_TRUE(eventually([&] { return tries >= 8; }));
    EXPECT_FALSE(store.log->failed());
  }
  store.close();
  EXPECT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(digests(dir.path()).empty());
  expect_equal_to_a_walk(dir.path());
}

// Where queues stand, as of the middle of the log: records below it bring lower numbers.
TEST(Digest, CountersComeInWhereTheWalkHasThem) {
  Digested made;
  struct Stored final : QueueCounterStore {
    std::optional<QueueCounters> load(std::int64_t) override {
      QueueCounters out;
      out.min = out.end = kSegment + 2 * kPiece;
      out.next["topic-1"] = {{0, 5000}, {9, 7}};
      out.next["of old"] = {{2, 3}};
      return out;
    }
    std::optional<Error> save(const QueueCounters&) override { return std::nullopt; }
    void forget() override {}
  };
  // Counters are loaded by a log that has lost its beginning.
  std::string text[2];
  for (const bool with_digests : {false, true}) {
    const TempDir copy;
    copy_store(made.dir.path(), copy.path());
    if (!with_digests) fs::remove_all(digest_dir(copy.path()));
    Stored stored;
    Index index(&stored);
    auto options = small_pieces(copy.path());
    {
      Counted trims;
      options.retention_bytes = 3 * kSegment;
      auto opened = CommitLog::open(options, trims);
      auto& log = std::get<std::unique_ptr<CommitLog>>(opened);
      trims.index.schedule().reset();
      log->apply_retention();
      ASSERT_EQ(log->bounds().min, kSegment);
    }
    if (!with_digests) fs::remove_all(digest_dir(copy.path()));
    auto opened = CommitLog::open(options, index);
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<CommitLog>>(opened));
    EXPECT_GT(index.next_queue_offset("topic-1", 0), 5000);
    text[with_digests ? 1 : 0] = contents(index);
  }
  EXPECT_EQ(text[0], text[1]);
}

TEST(Digest, VerifyReadsTheRecordsAndNoDigest) {
  Digested made;
  const std::string& dir = made.dir.path();
  patch(segment_path(dir, kSegment), kPiece / 2 + 4000, "damage");
  const Opened quick = start(dir, true);
  EXPECT_EQ(quick.error, "");
  EXPECT_GT(quick.digested, 0u);
  auto looked = verify(dir);
  ASSERT_TRUE(std::holds_alternative<VerifyReport>(looked));
  const auto& fault = std::get<VerifyReport>(looked).fault;
  ASSERT_TRUE(fault);
  EXPECT_GE(fault->offset, kSegment);
  EXPECT_LT(fault->offset, kSegment + kPiece / 2 + 4000);
}

TEST(Digest, SegmentsSmallerThanAPieceHaveNone) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.digest_bytes = 2 * kTestSegment;
  store.open_or_die(options);
  for (int i = 0; i < 20; ++i) store.put("t", std::string(1000, 'x'));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  store.close();
  store.open_or_die(options);
  EXPECT_EQ(store.index.count("t", std::nullopt), 40);  // the index was told twice
  EXPECT_FALSE(fs::exists(digest_dir(dir.path())));
}

}  // namespace
}  // namespace stub::store
