// SPDX-License-Identifier: Apache-2.0
// What a kill and a loss of power may do to bytes that were not flushed, and what recovery and
// verify make of it: on a master and on a slave.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "store/verify.h"
#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kSegment = 64 << 10;
constexpr std::int64_t kPage = 4096;
constexpr BootId kBefore{'b', 'e', 'f', 'o', 'r', 'e'};

const Properties kZeros{{"KEYS", std::string("a\0b", 3)}};
const Properties kManyZeros{{"KEYS", std::string(9000, '\0')}, {"x", "y"}};
const Properties kLong{{"KEYS", std::string(9000, 'k')}};

// The files as they are now, opened by the next process.
struct Next {
  TempDir dir;
  Store store;
  std::vector<std::string> warnings;

  explicit Next(const std::string& from) { copy_store(from, dir.path()); }
  std::optional<Error> open() {
    auto options = test_options(dir.path(), 0);
    options.warning = [this](const std::string& text) { warnings.push_back(text); };
    return store.open(options);
  }
  VerifyReport verified() const { return std::get<VerifyReport>(verify(dir.path())); }
  void expect_warning(std::int64_t from, std::int64_t to) const {
    ASSERT_EQ(warnings.size(), 1u);
    for (const std::int64_t number : {from, to - from, to})
      EXPECT_NE(warnings[0].find(std::to_string(number)), std::string::npos)
          << number << " in " << warnings[0];
    EXPECT_NE(warnings[0].find("acknowledged"), std::string::npos) << warnings[0];
  }
};

enum class Path { kMaster, kSlave };

// A log whose run ended with the machine's, or with its process only.
struct LastRun {
  Path path;
  TempDir dir, master_dir;
  Store store, master;

  explicit LastRun(Path p, bool reboot = true) : path(p) {
    auto options = test_options(dir.path(), kSegment);
    if (reboot) options.boot_id = kBefore;
    store.open_or_die(options);
    master.open_or_die(test_options(master_dir.path(), kSegment));
  }
  // Where it begins.
  std::int64_t put(const std::string& body, const Properties& properties = {}) {
    if (path == Path::kMaster) return store.put("t", body, 0, properties).first;
    const auto put = master.put("t", body, 0, properties);
    const std::int64_t from = end();
    EXPECT_FALSE(
        store.log->append_raw(from, master.bytes().substr(static_cast<std::size_t>(from))));
    return put.first;
  }
  void flush() { ASSERT_FALSE(store.log->flush(end())); }
  std::int64_t end() const { return store.log->bounds().end; }
};

class Torn : public testing::TestWithParam<Path> {};

TEST_P(Torn, BytesThatAreAllThereStayWhateverTheyAre) {
  for (const bool reboot : {false, true}) {
    LastRun run(GetParam(), reboot);
    run.put("one");
    run.flush();
    run.put("two", kZeros);
    run.put("three", kManyZeros);
    run.put(std::string(5000, '\0'), kManyZeros);
    run.put("", kManyZeros);
    run.put("last");
    Next next(run.dir.path());
    EXPECT_FALSE(next.verified().fault) << next.verified().fault->text;
    EXPECT_EQ(next.verified().records, 6);
    ASSERT_FALSE(next.open()) << reboot;
    EXPECT_EQ(next.store.bytes(), run.store.bytes());
    EXPECT_EQ(next.store.index.count("t", std::nullopt), 6);
    EXPECT_TRUE(next.warnings.empty()) << next.warnings[0];
  }
}

TEST_P(Torn, APageThatDidNotReachTheDiskIsFoundWhereverItIs) {
  LastRun run(GetParam());
  run.put("one");
  run.flush();
  const std::vector<std::int64_t> begins{run.put("two", kLong), run.put("three", kLong),
                                         run.put("four", kLong)};
  for (std::int64_t page = kPage; page + kPage < run.end(); page += kPage) {
    Next next(run.dir.path());
    patch(segment_path(next.dir.path(), 0), page, std::string(kPage, '\0'));
    const auto report = next.verified();
    ASSERT_FALSE(next.open());
    const auto torn = *std::prev(std::upper_bound(begins.begin(), begins.end(), page));
    EXPECT_EQ(next.store.log->bounds().end, torn) << page;
    next.expect_warning(torn, run.end());
    ASSERT_TRUE(report.fault) << page;
    EXPECT_EQ(report.fault->offset, torn) << report.fault->text;
  }
}

// A slave's bytes come cut anywhere, so a flush may end inside a record. Its sector was written
// then, and again later: what is lost is the rest of it.
TEST(TornSlave, ARecordWhoseSectorLacksItsEndIsCut) {
  LastRun run(Path::kSlave);
  run.put("one");
  const auto two = run.master.put("t", "two", 0, {{"KEYS", "AAAAAAAAAAAA"}});
  const std::string bytes = run.master.bytes();
  const std::int64_t flushed = two.end - 6;
  const auto append = [&](std::int64_t to) {
    const std::int64_t from = run.end();
    ASSERT_FALSE(run.store.log->append_raw(
        from, bytes.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from))));
  };
  append(flushed);
  run.flush();
  append(two.end);
  run.put("three");
  Next next(run.dir.path());
  patch(segment_path(next.dir.path(), 0), flushed,
        std::string(static_cast<std::size_t>(run.end() - flushed), '\0'));
  ASSERT_FALSE(next.open());
  EXPECT_EQ(next.store.bodies("t"), std::vector<std::string>{"one"});
  EXPECT_EQ(next.warnings.size(), 1u);
}

// After a failed fsync the page cache may lack bytes, though the machine was never off.
TEST(TornMark, AfterAFailureTheBootIdVouchesForNothing) {
  LastRun run(Path::kMaster, false);
  run.put("one");
  run.flush();
  const std::int64_t two = run.put("two");
  Next next(run.dir.path());
  CommitMark mark;
  auto values = std::get<std::optional<MarkValues>>(CommitMark::load(next.dir.path()));
  ASSERT_TRUE(values && values->boot);
  ASSERT_FALSE(mark.create(next.dir.path(), *values));
  mark.forget_boot();
  values = std::get<std::optional<MarkValues>>(CommitMark::load(next.dir.path()));
  ASSERT_TRUE(values && !values->boot);
  patch(segment_path(next.dir.path(), 0), two,
        std::string(static_cast<std::size_t>(run.end() - two), '\0'));
  ASSERT_FALSE(next.open());
  EXPECT_EQ(next.store.bodies("t"), std::vector<std::string>{"one"});
}

TEST_P(Torn, WhatIsTornAndDoesNotShowWhereIsCutAtTheFlushedEnd) {
  LastRun run(GetParam());
  run.put("one");
  run.put("two");
  run.flush();
  const std::int64_t flushed = run.end();
  run.put("three");
  const std::int64_t four = run.put("four");
  run.put("five");
  Next next(run.dir.path());
  patch(segment_path(next.dir.path(), 0), four + 56, std::string(8, '\0'));  // when it was stored
  const auto report = next.verified();
  ASSERT_FALSE(next.open());
  EXPECT_EQ(next.store.log->bounds().end, flushed);
  EXPECT_EQ(next.store.bodies("t"), (std::vector<std::string>{"one", "two"}));
  next.expect_warning(flushed, run.end());
  ASSERT_TRUE(report.fault);
  EXPECT_EQ(report.fault->offset, flushed) << report.fault->text;
}

TEST_P(Torn, BytesBeyondAMarkThatIsOlderThanTheyAreTold) {
  LastRun run(GetParam());
  run.put("one");
  run.flush();
  const std::int64_t flushed = run.end();
  const Next older(run.dir.path());
  run.put("two", kZeros);
  Next next(run.dir.path());
  std::filesystem::copy_file(older.dir.path() + "/commit_mark", next.dir.path() + "/commit_mark",
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_FALSE(next.open());
  EXPECT_EQ(next.store.log->bounds().end, flushed);
  next.expect_warning(flushed, run.end());
}

TEST_P(Torn, TheSumsFollowFlushesAndSegments) {
  LastRun run(GetParam());
  for (int i = 0; i < 30; ++i) {
    run.put("message " + std::to_string(i), kLong);
    if (i % 7 == 0) run.flush();
    if (i % 5 != 0) continue;
    Next next(run.dir.path());
    ASSERT_FALSE(next.open());
    ASSERT_EQ(next.store.log->bounds().end, run.end()) << i;
    ASSERT_TRUE(next.warnings.empty()) << next.warnings[0];
  }
}

INSTANTIATE_TEST_SUITE_P(OnBothPaths, Torn, testing::Values(Path::kMaster, Path::kSlave));

TEST(TornSlave, TheSumsFollowCutsAboveAndBelowTheFlushedEnd) {
  const std::string raw = sample_log(40, 300);
  for (const std::size_t cut : {3000u, 9000u, 11500u}) {
    const TempDir dir;
    Store store;
    auto options = test_options(dir.path());
    options.boot_id = kBefore;
    store.open_or_die(options);
    ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, 8000)));
    ASSERT_FALSE(store.log->flush(8000));
    ASSERT_FALSE(store.log->append_raw(8000, raw.substr(8000, 4000)));
    ASSERT_FALSE(store.log->truncate(static_cast<std::int64_t>(cut), true));
    ASSERT_FALSE(store.log->append_raw(static_cast<std::int64_t>(cut), raw.substr(cut)));
    Next next(dir.path());
    ASSERT_FALSE(next.open());
    EXPECT_EQ(next.store.bytes(), raw) << cut;
    EXPECT_TRUE(next.warnings.empty()) << next.warnings[0];
  }
}

TEST(TornSlave, ARecordThatHadNotArrivedIsCutWithAWord) {
  const std::string raw = sample_log(3, 100);
  for (const bool reboot : {false, true}) {
    const TempDir dir;
    Store store;
    auto options = test_options(dir.path());
    if (reboot) options.boot_id = kBefore;
    store.open_or_die(options);
    ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, raw.size() - 7)));
    Next next(dir.path());
    ASSERT_FALSE(next.open());
    EXPECT_EQ(next.store.log->bounds().end, store.log->bounds().whole_end);
    ASSERT_EQ(next.warnings.size(), 1u);
    EXPECT_NE(next.warnings[0].find("had not arrived"), std::string::npos) << next.warnings[0];
  }
}

// "HAM2", as versions before the sums wrote it.
void write_old_mark(const std::string& dir, std::int64_t committed) {
  std::string slot(56, '\0');
  store32(slot.data(), 0x48414D32);
  store64(slot.data() + 8, 3);
  store64(slot.data() + 24, static_cast<std::uint64_t>(committed));
  store64(slot.data() + 40, static_cast<std::uint64_t>(kSegment));
  store64(slot.data() + 48, ~std::uint64_t{0});
  store32(slot.data() + 4, add_to_sum(0, std::string_view(slot).substr(8)));
  std::string file(8192, '\0');
  file.replace(4096, slot.size(), slot);
  ASSERT_FALSE(replace_file(dir + "/commit_mark", file));
}

TEST(OldMark, AKeyWithAZeroStaysAndATornPageIsCut) {
  for (const bool torn : {false, true}) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path(), kSegment));
    store.put("t", "one", 0, kZeros);
    const std::int64_t second = store.put("t", "two", 0, kLong).first;
    store.put("t", "three", 0, kZeros);
    const std::int64_t end = store.log->bounds().end;
    Next next(dir.path());
    write_old_mark(next.dir.path(), end);
    if (torn) patch(segment_path(next.dir.path(), 0), kPage, std::string(kPage, '\0'));
    ASSERT_FALSE(next.open());
    EXPECT_EQ(next.store.log->bounds().end, torn ? second : end);
    const auto mark = CommitMark::load(next.dir.path());
    EXPECT_TRUE(std::get<std::optional<MarkValues>>(mark)->summed);
  }
}

TEST(CommitMarkFile, IsWrittenInPlaceWhenItIsWhole) {
  const TempDir dir;
  const std::string path = dir.path() + "/commit_mark";
  for (std::int64_t committed = 1; committed < 4; ++committed) {
    MarkValues values;
    values.committed = committed;
    values.segment_bytes = kTestSegment;
    CommitMark mark;
    ASSERT_FALSE(mark.create(dir.path(), values));
    const auto loaded = CommitMark::load(dir.path());
    EXPECT_EQ(std::get<std::optional<MarkValues>>(loaded)->committed, committed);
    if (committed == 1) std::filesystem::create_hard_link(path, path + ".same");
  }
  EXPECT_EQ(slurp(path), slurp(path + ".same"));
}

}  // namespace
}  // namespace stub::store
