// SPDX-License-Identifier: Apache-2.0
// A flush makes the segments and the mark stable side by side: what a loss of power leaves of the
// two, and that an answered flush is never cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "file_calls.h"
#include "store/record.h"
#include "store/verify.h"
#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kSegment = 1 << 20;
constexpr std::int64_t kPage = 4096;
constexpr BootId kBefore{'b', 'e', 'f', 'o', 'r', 'e'};
const Properties kZeros{{"KEYS", std::string(300, '\0')}};

MarkValues mark_of(const std::string& dir) {
  return *std::get<std::optional<MarkValues>>(CommitMark::load(dir));
}

// A run that ended with the machine's, of two flushes and a message after them. Its mark is as the
// second flush wrote it when it began.
struct LostPower {
  TempDir dir;
  std::int64_t first = 0, second = 0, end = 0;  // of the flushes, of the log
  std::int64_t three = 0;
  std::vector<std::string> warnings;
  Store next;

  // roll: the second flush goes on in a second segment.
  explicit LostPower(bool roll = false) {
    Store store;
    auto options = test_options(dir.path(), kSegment);
    options.boot_id = kBefore;
    store.open_or_die(options);
    store.put("t", "one");
    EXPECT_FALSE(store.log->flush(first = store.log->bounds().end));
    const MarkValues before = mark_of(dir.path());
    store.put("t", "two");
    if (roll) store.put("t", std::string(kSegment - 2000, 'x'));
    if (roll) store.put("t", std::string(3000, 'x'));
    EXPECT_FALSE(store.log->flush(second = store.log->bounds().end));
    three = store.put("t", "three").first;
    end = store.log->bounds().end;
    MarkValues values = mark_of(dir.path());
    EXPECT_EQ(values.flushed, second);
    values.flushed = before.flushed;
    values.flushed_sum = before.flushed_sum;
    store.close();
    CommitMark mark;
    EXPECT_FALSE(mark.create(dir.path(), values));
  }
  // Where a record says when it was stored, which no checksum but the mark's covers.
  void tear(std::int64_t record) {
    patch(segment_path(dir.path(), 0), record + 56, std::string(8, '\0'));
  }
  void open() {
    auto options = test_options(dir.path(), 0);
    options.warning = [this](const std::string& text) { warnings.push_back(text); };
    next.open_or_die(options);
  }
};

TEST(FlushUnderWay, ThatHadEndedIsNotCutByWhatIsTornAboveIt) {
  LostPower lost;
  lost.tear(lost.three);
  const auto report = std::get<VerifyReport>(verify(lost.dir.path()));
  ASSERT_TRUE(report.fault);
  EXPECT_EQ(report.fault->offset, lost.second);
  lost.open();
  EXPECT_EQ(lost.next.bodies("t"), (std::vector<std::string>{"one", "two"}));
  ASSERT_EQ(lost.warnings.size(), 1u);
  EXPECT_NE(lost.warnings[0].find("cut at " + std::to_string(lost.second)), std::string::npos)
      << lost.warnings[0];
}

TEST(FlushUnderWay, ThatHadNotEndedIsCutToTheOneBefore) {
  LostPower lost;
  lost.tear(lost.first);
  lost.open();
  EXPECT_EQ(lost.next.bodies("t"), std::vector<std::string>{"one"});
  EXPECT_EQ(lost.warnings.size(), 1u);
}

TEST(FlushUnderWay, OfBytesThatAreAllThereCostsNothing) {
  LostPower lost;
  lost.open();
  EXPECT_EQ(lost.next.bodies("t"), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(lost.warnings.size(), 0u);
}

// What was read may be in the page cache alone, and the mark says flushed from then on.
TEST(FlushUnderWay, ThatIsFoundWholeIsMadeStableAgain) {
  LostPower lost(true);
  std::vector<std::string> synced;
  const test::FileCalls calls([&](const std::string& name) {
    synced.push_back(name);
    return 0;
  });
  lost.open();
  EXPECT_EQ(lost.next.bodies("t").size(), 5u);
  EXPECT_EQ(std::count(synced.begin(), synced.end(), "fdatasync"), 2);  // both segments
}

// "HAM3", which knew none: 80 bytes a slot.
TEST(FlushUnderWay, IsNotKnownOfAnOlderMark) {
  LostPower lost;
  const std::string path = lost.dir.path() + "/commit_mark";
  std::string file = slurp(path);
  for (std::size_t at = 0; at < file.size(); at += kPage) {
    std::string slot = file.substr(at, 80);
    store32(slot.data(), 0x48414D33);
    store32(slot.data() + 4, add_to_sum(0, std::string_view(slot).substr(8)));
    file.replace(at, 92, slot + std::string(12, '\x55'));
  }
  ASSERT_FALSE(replace_file(path, file));
  EXPECT_EQ(mark_of(lost.dir.path()).flushing, lost.first);
  lost.tear(lost.three);
  lost.open();
  EXPECT_EQ(lost.next.bodies("t"), std::vector<std::string>{"one"});
}

TEST(FlushUnderWay, IsAnErrorWhenEitherFileCannotBeMadeStable) {
  for (int wrong = 0; wrong < 2; ++wrong) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path(), kSegment));
    store.put("t", "one");
    const std::int64_t end = store.log->bounds().end;
    int call = 0;
    const test::FileCalls calls(
        [&](const std::string& name) { return name == "fdatasync" && call++ == wrong ? EIO : 0; });
    const auto error = store.log->flush(end);
    ASSERT_TRUE(error) << wrong;
    EXPECT_EQ(error->os_errno, EIO);
    EXPECT_EQ(store.log->bounds().durable, 0);
    EXPECT_TRUE(store.log->failed());
    EXPECT_GE(call, 2);  // the other one is waited for
  }
}

// The mark's file at each of its moments, and what may be on the disk at each moment of a run.
struct Moment {
  std::size_t synced = 0;     // of the marks: each page is this one or a later one
  std::size_t marks = 0;      // those that there were
  std::int64_t answered = 0;  // up to there the bytes are on the disk
  std::int64_t end = 0;
};

TEST(FlushUnderWay, NoLossOfPowerCutsWhatWasAnswered) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  const TempDir dir;
  std::vector<std::string> marks;
  std::vector<Moment> moments;
  Store store;
  auto options = test_options(dir.path(), kSegment);
  options.boot_id = kBefore;
  store.open_or_die(options);
  Moment now;
  std::size_t begun = 0;
  const auto look = [&] {
    marks.push_back(slurp(dir.path() + "/commit_mark"));
    now.marks = marks.size();
    now.end = store.log->bounds().end;
    moments.push_back(now);
  };
  look();
  for (int i = 0; i < 60; ++i) {
    store.put("t", std::string(below(6000) + 1, i % 3 == 0 ? '\0' : 'x'), 0,
              i % 2 == 0 ? kZeros : Properties{});
    look();
    if (below(3) != 0) continue;
    begun = 0;
    const std::int64_t end = store.log->bounds().end;
    {
      // Both files are asked for once, in any order; the first call sees the mark of this flush.
      const test::FileCalls calls([&](const std::string& name) {
        if (name != "fdatasync") return 0;
        look();
        if (begun == 0) begun = marks.size() - 1;
        return 0;
      });
      ASSERT_FALSE(store.log->flush(end));
    }
    ASSERT_GT(begun, 0u);
    now.synced = begun;
    now.answered = end;
    look();
  }
  const std::string log = store.bytes();
  const TempDir copy;
  for (int i = 0; i < 600; ++i) {
    const Moment& at = moments[below(moments.size())];
    copy_store(dir.path(), copy.path());
    std::string mark(2 * kPage, '\0');
    for (std::size_t page = 0; page < 2; ++page) {
      const auto& from = marks[at.synced + below(at.marks - at.synced)];
      mark.replace(page * kPage, kPage, from, page * kPage, kPage);
    }
    ASSERT_FALSE(replace_file(copy.path() + "/commit_mark", mark));
    std::string segment(static_cast<std::size_t>(kSegment), '\0');
    for (std::int64_t page = 0; page < at.end; page += kPage) {
      const bool whole = below(2) == 0;
      const std::int64_t stop = std::min(page + kPage, whole ? at.end : at.answered);
      if (stop > page)
        segment.replace(static_cast<std::size_t>(page), static_cast<std::size_t>(stop - page), log,
                        static_cast<std::size_t>(page), static_cast<std::size_t>(stop - page));
    }
    ASSERT_FALSE(replace_file(segment_path(copy.path(), 0), segment));
    Store next;
    const auto error = next.open(test_options(copy.path(), 0));
    ASSERT_FALSE(error) << i << ": " << error->text;
    const std::int64_t end = next.log->bounds().end;
    ASSERT_GE(end, at.answered) << i;
    ASSERT_EQ(next.bytes(), log.substr(0, static_cast<std::size_t>(end))) << i;
    ASSERT_FALSE(next.put("t", "it goes on").error);
  }
}

}  // namespace
}  // namespace stub::store
