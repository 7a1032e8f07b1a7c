// SPDX-License-Identifier: Apache-2.0
// No start may believe a digest of bytes that the log does not hold any more.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <random>

#include "digest_fixture.h"
#include "file_calls.h"

namespace stub::store {
namespace {

namespace fs = std::filesystem;

TEST(StaleDigest, AStartRemovesThoseThatItDoesNotUse) {
  Digested made;
  const auto used = digests(made.dir.path());
  for (const std::int64_t begin : {std::int64_t{100}, made.end, 50 * kSegment})
    fs::copy(digest_path(made.dir.path(), kSegment), digest_path(made.dir.path(), begin));
  Store store;
  store.open_or_die(small_pieces(made.dir.path()));
  const auto left = digests(made.dir.path());
  EXPECT_TRUE(std::includes(left.begin(), left.end(), used.begin(), used.end()));
  for (const std::int64_t begin : {std::int64_t{100}, made.end, 50 * kSegment})
    EXPECT_FALSE(fs::exists(digest_path(made.dir.path(), begin))) << begin;
}

TEST(StaleDigest, SpeakOfNothingThatASafeCutMayTake) {
  const TempDir dir;
  std::mt19937 random(4);
  Store store;
  store.open_or_die(small_pieces(dir.path()));
  grow(store, any_log(random, kSegment));
  const std::int64_t confirmed = store.log->bounds().confirm;
  const std::string more = any_log(random, 3 * kSegment, confirmed);
  ASSERT_FALSE(store.log->append_raw(confirmed, more));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  store.close();
  Store again;
  again.open_or_die(small_pieces(dir.path()));
  const auto there = digests(dir.path());
  ASSERT_GE(there.size(), 3u);
  for (const std::int64_t begin : there) {
    Digest digest;
    ASSERT_TRUE(parse_digest(slurp(digest_path(dir.path(), begin)), digest));
    EXPECT_LE(digest.end, confirmed);
  }
  ASSERT_FALSE(again.log->truncate(confirmed, false));
  EXPECT_EQ(digests(dir.path()), there);
}

TEST(StaleDigest, ACutTakesThoseAboveItAndTheLogGoesOnWithOthers) {
  Digested made;
  const std::string& dir = made.dir.path();
  Store store;
  store.open_or_die(small_pieces(dir));
  const std::int64_t cut = kSegment + kPiece + 500;
  ASSERT_FALSE(store.log->truncate(cut, true));
  ASSERT_FALSE(store.log->truncate(store.log->bounds().whole_end, true));
  for (const std::int64_t begin : digests(dir)) EXPECT_LT(begin, cut - kPiece + 1000);
  expect_equal_to_a_walk(dir);
  grow(store, any_log(made.random, 2 * kSegment, store.log->bounds().end));
  ASSERT_TRUE(digested_up_to(dir, 2 * kSegment));
  EXPECT_GT(start(dir, true).digested, 2 * start(dir, true).walked);
  expect_equal_to_a_walk(dir);
}

// A slave is cut and follows another master; it is killed at any step.
TEST(StaleDigest, NoKillDuringACutLeavesOneOfBytesThatWent) {
  for (const bool reset : {false, true}) {
    Digested made;
    std::deque<TempDir> killed;  // the store at each step
    Store store;
    store.open_or_die(small_pieces(made.dir.path()));
    {
      const test::FileCalls calls([&](const std::string&) {
        copy_store(made.dir.path(), killed.emplace_back().path());
        return 0;
      });
      const auto error =
          reset ? store.log->reset(kSegment) : store.log->truncate(kPiece + 700, true);
      ASSERT_FALSE(error) << error->text;
    }
    EXPECT_GE(killed.size(), 10u);
    EXPECT_LE(digests(made.dir.path()).size(), 1u);
    for (const auto& dir : killed) {
      expect_equal_to_a_walk(dir.path());
      // The master that it follows then has the same log up to there, and other bytes above.
      Store next;
      next.open_or_die(small_pieces(dir.path()));
      ASSERT_FALSE(next.log->truncate(next.log->bounds().whole_end, true));
      const std::int64_t end = next.log->bounds().end;
      grow(next, any_log(made.random, 4 * kSegment - end % kSegment, end));
      expect_equal_to_a_walk(dir.path());
    }
  }
}

// If one comes back nevertheless (a removal that was not yet durable), its ends are compared.
TEST(StaleDigest, OneOfOtherBytesIsNotBelieved) {
  Digested made;
  const std::string& dir = made.dir.path();
  const TempDir old;
  copy_store(dir, old.path());
  Store store;
  store.open_or_die(small_pieces(dir));
  ASSERT_FALSE(store.log->reset(0));
  std::mt19937 random(77);
  grow(store, any_log(random, 3 * kSegment + 6000));
  ASSERT_TRUE(digested_up_to(dir, 3 * kSegment));
  store.close();
  fs::remove_all(digest_dir(dir));
  fs::copy(digest_dir(old.path()), digest_dir(dir));
  ASSERT_GT(digests(dir).size(), 10u);
  EXPECT_EQ(start(dir, true).digested, 0u);
  expect_equal_to_a_walk(dir);
}

// As when somebody copies another node's log over this one's, with the same beginning.
TEST(StaleDigest, OneOfALogThatPartsLaterIsNotBelieved) {
  const TempDir ours, theirs;
  for (const auto* dir : {&ours, &theirs}) {
    Store store;
    auto options = small_pieces(dir->path());
    options.now_ms = [] { return 1000; };
    store.open_or_die(options);
    // The first record is the same, and so is all of the bodies.
    for (int i = 0; i < 40; ++i) {
      const int queue = dir == &theirs && i > 0 ? 1 : 0;
      ASSERT_FALSE(store.put("t", std::string(700, 'x'), queue).error);
    }
    ASSERT_FALSE(store.log->flush(store.log->bounds().end));
    ASSERT_TRUE(digested_up_to(dir->path(), kPiece));
  }
  ASSERT_EQ(digests(ours.path()).front(), 0);
  fs::copy(digest_path(ours.path(), 0), digest_path(theirs.path(), 0),
           fs::copy_options::overwrite_existing);
  expect_equal_to_a_walk(theirs.path());
}

TEST(StaleDigest, OneThatMustGoAndCannotIsAnErrorOfTheOpen) {
  Digested made;
  const std::string& dir = made.dir.path();
  const std::string stale = digest_path(dir, 50 * kSegment);
  fs::copy(digest_path(dir, kSegment), stale);
  Store store;
  std::optional<Error> error;
  {
    const test::FileCalls calls([](const std::string& name) { return name == "unlink" ? EIO : 0; });
    error = store.open(small_pieces(dir));
  }
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find(stale), std::string::npos) << error->text;
  store.open_or_die(small_pieces(dir));
  EXPECT_FALSE(fs::exists(stale));
}

// A start may have removed one and been killed before the directory was on the disk.
TEST(StaleDigest, AStartMakesTheRemovalsOfAnEarlierOneDurable) {
  const TempDir dir;
  fs::create_directory(digest_dir(dir.path()));
  LogDigests starting(dir.path(), kSegment, kPiece, [](const std::string&) {});
  int synced = 0;
  const test::FileCalls calls([&](const std::string& name) {
    synced += name == "fsync" ? 1 : 0;
    return 0;
  });
  starting.begin_at(0);
  EXPECT_FALSE(starting.remove_rest());
  EXPECT_EQ(synced, 1);
}

TEST(StaleDigest, RetentionTriesAgainToRemoveOne) {
  const TempDir dir;
  fs::create_directory(digest_dir(dir.path()));
  Digested made;
  Store store;
  store.open_or_die(small_pieces(made.dir.path()));
  LogDigests digests_of(made.dir.path(), kSegment, kPiece, [](const std::string&) {});
  digests_of.begin_at(0);
  const auto there = digests(made.dir.path());
  Digest out;
  for (const std::int64_t begin : there) {
    const auto segment = Segment::open(made.dir.path() + "/commitlog", begin - begin % kSegment,
                                       Segment::Access::kReadOnly);
    ASSERT_TRUE(
        digests_of.read(*std::get<std::shared_ptr<Segment>>(segment), begin, kNoLimit, out));
  }
  {
    const test::FileCalls calls([](const std::string& name) { return name == "unlink" ? EIO : 0; });
    EXPECT_TRUE(digests_of.keep(kSegment, kNoLimit));
  }
  EXPECT_EQ(digests(made.dir.path()), there);
  EXPECT_FALSE(digests_of.keep(kSegment, kNoLimit));
  EXPECT_EQ(digests(made.dir.path()).front(), kSegment);
}

TEST(StaleDigest, RetentionTakesTheSegmentsOwn) {
  const TempDir dir;
  std::mt19937 random(6);
  Store store;
  auto options = small_pieces(dir.path());
  store.open_or_die(options);
  grow(store, any_log(random, 4 * kSegment, 0, false));
  ASSERT_TRUE(digested_up_to(dir.path(), 4 * kSegment - kPiece));
  store.close();
  options.retention_bytes = 2 * kSegment;
  store.open_or_die(options);
  store.log->apply_retention();
  ASSERT_GT(store.log->bounds().min, 0);
  EXPECT_EQ(digests(dir.path()).front(), store.log->bounds().min);
  expect_equal_to_a_walk(dir.path());
}

TEST(StaleDigest, WithoutAMarkThatKnowsThemNoneIsBelieved) {
  Digested made;
  const std::string& dir = made.dir.path();
  const std::size_t some = start(dir, true).digested;
  ASSERT_GT(some, 0u);
  const std::string mark = slurp(dir + "/commit_mark");
  // "HAM3": a version that writes it does not remove digests when it cuts the log.
  std::string older = mark;
  for (std::size_t at = 0; at < older.size(); at += older.size() / 2) {
    std::string slot = older.substr(at, 80);
    store32(slot.data(), 0x48414D33);
    store32(slot.data() + 4, add_to_sum(0, std::string_view(slot).substr(8)));
    older.replace(at, 80, slot);
  }
  ASSERT_FALSE(replace_file(dir + "/commit_mark", older));
  EXPECT_EQ(start(dir, true).digested, 0u);
  ASSERT_FALSE(replace_file(dir + "/commit_mark", mark));
  EXPECT_EQ(start(dir, true).digested, some);
  // RocketMQ had the store open.
  const std::string lock = slurp(dir + "/lock");
  ASSERT_FALSE(replace_file(dir + "/lock", "lock"));
  EXPECT_EQ(start(dir, true).digested, 0u);
  ASSERT_FALSE(replace_file(dir + "/lock", lock));
  EXPECT_EQ(start(dir, true).digested, some);
  fs::remove(dir + "/commit_mark");
  EXPECT_EQ(start(dir, true).digested, 0u);
}

}  // namespace
}  // namespace stub::store
