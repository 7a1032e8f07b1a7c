// SPDX-License-Identifier: Apache-2.0
// Commits of consumer groups between two writings of their table: what a kill, a full disk and
// damage leave of them, and what a commit costs.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <set>
#include <vector>

#include "broker/group_offsets.h"
#include "file_calls.h"
#include "store/file.h"
#include "store_fixture.h"

namespace stub {
namespace {

namespace fs = std::filesystem;
using store::TempDir;

const std::string kTable = "/config/consumerOffset.json";
const std::string kJournal = kTable + ".journal";

std::unique_ptr<GroupOffsets> open_groups(const std::string& dir) {
  auto opened = GroupOffsets::open(dir, [](const std::string&, int) { return INT64_MAX; });
  if (const auto* error = std::get_if<Error>(&opened)) throw std::runtime_error(error->text);
  return std::move(std::get<std::unique_ptr<GroupOffsets>>(opened));
}

// As a kill leaves it.
void copy_files(const std::string& from, const std::string& to) {
  fs::remove_all(to + "/config");
  fs::copy(from + "/config", to + "/config", fs::copy_options::recursive);
}

std::string read(const std::string& path) { return store::slurp(path); }
void write(const std::string& path, const std::string& bytes) {
  ASSERT_FALSE(store::replace_file(path, bytes));
}

std::size_t moved_aside(const std::string& dir) {
  std::size_t found = 0;
  for (const auto& entry : fs::directory_iterator(dir + "/config"))
    found += entry.path().string().find(".bad-") != std::string::npos;
  return found;
}

// What the next process finds; it must be able to go on, too.
std::string text_after_a_kill(const std::string& dir) {
  const TempDir copy;
  copy_files(dir, copy.path());
  std::string text;
  std::string more;
  {
    const auto groups = open_groups(copy.path());
    text = groups->text();
    EXPECT_EQ(groups->set("next", "process", 0, 1).index(), 0u);
    more = groups->text();
    EXPECT_EQ(moved_aside(copy.path()), 0u);
    const TempDir again;
    copy_files(copy.path(), again.path());
    EXPECT_EQ(open_groups(again.path())->text(), more);
  }
  EXPECT_FALSE(fs::exists(copy.path() + kJournal));
  EXPECT_EQ(open_groups(copy.path())->text(), more);
  return text;
}

// Names as long and as odd as the stub takes: few commits fill a journal.
std::string long_group(int n) {
  std::string out = std::to_string(n) + "%|_-";
  out.resize(255, 'g');
  return out;
}
const std::string kLongTopic = "%RETRY%" + std::string(120, 't');

using Step = std::function<bool(GroupOffsets&)>;  // true: it was answered well

Step commit(int group, std::int64_t next, bool pending = false) {
  return [=](GroupOffsets& groups) {
    return groups.set(long_group(group), kLongTopic, group % 3, next, pending).index() == 0;
  };
}

// Commits that fill the journal twice, and deletions between them.
std::vector<Step> steps() {
  std::vector<Step> out;
  for (int i = 0; i < 360; ++i) {
    out.push_back(commit(i % 40, i, i % 7 == 0));
    if (i % 50 == 49) {
      out.push_back([i](GroupOffsets& groups) {
        return groups
                   .remove(long_group(i % 40),
                           i % 4 == 1 ? std::nullopt : std::optional(kLongTopic))
                   .index() == 0;
      });
    }
  }
  return out;
}

TEST(GroupJournal, AKillBetweenAnyTwoStepsLosesNoAnsweredCommit) {
  const TempDir dir;
  std::string before;
  std::string after;
  int looks = 0;
  int replaced = 0;
  const auto look = [&](const std::string& call) {
    ++looks;
    replaced += call == "unlink" ? 1 : 0;
    const std::string found = text_after_a_kill(dir.path());
    EXPECT_TRUE(found == before || found == after) << call;
    return 0;
  };
  {
    // What a step makes of the table, known before it is taken.
    const TempDir model_dir;
    const auto model = open_groups(model_dir.path());
    auto groups = open_groups(dir.path());
    before = after = groups->text();
    for (const Step& step : steps()) {
      ASSERT_TRUE(step(*model));
      after = model->text();
      const test::FileCalls calls(look);
      ASSERT_TRUE(step(*groups));
      before = groups->text();
      ASSERT_EQ(before, after);
      if (testing::Test::HasFailure()) return;
    }
    look("all steps");
    // The orderly end, too.
    const test::FileCalls calls(look);
    groups.reset();
  }
  EXPECT_GE(replaced, 3);
  EXPECT_GT(looks, 1000);
  EXPECT_FALSE(fs::exists(dir.path() + kJournal));
  EXPECT_EQ(open_groups(dir.path())->text(), after);
}

TEST(GroupJournal, AKillWhileAMastersTableTakesItsPlaceLeavesOneOfTheTwo) {
  const TempDir dir, master_dir;
  const auto master = open_groups(master_dir.path());
  ASSERT_TRUE(commit(1, 7)(*master));
  auto groups = open_groups(dir.path());
  ASSERT_TRUE(commit(1, 99)(*groups));
  ASSERT_TRUE(commit(2, 99)(*groups));
  const std::string before = groups->text();
  const std::string after = master->text();
  const test::FileCalls calls([&](const std::string& call) {
    const std::string found = text_after_a_kill(dir.path());
    EXPECT_TRUE(found == before || found == after) << call;
    return 0;
  });
  ASSERT_EQ(groups->replace(after), std::nullopt);
  groups.reset();
  EXPECT_EQ(text_after_a_kill(dir.path()), after);
}

// One run in which the call number `at`, of those that the steps around the journal's first end
// make, fails. The call; "" when there are fewer.
std::string run_with_an_error(int wrong, int at) {
  const TempDir dir;
  auto groups = open_groups(dir.path());
  std::string failed;
  bool armed = false;
  int calls = 0;
  const test::FileCalls hook([&](const std::string& call) {
    if (!armed || !failed.empty() || calls++ != at) return 0;
    failed = call;
    return wrong;
  });
  int number = 0;
  const TempDir model_dir;
  const auto model = open_groups(model_dir.path());
  for (const Step& step : steps()) {
    const std::string before = groups->text();
    if (++number == 160) break;
    EXPECT_TRUE(step(*model));
    const std::string after = model->text();
    armed = number > 110;
    const bool good = step(*groups);
    armed = false;
    if (good) continue;
    EXPECT_EQ(groups->text(), before);
    const TempDir copy;
    copy_files(dir.path(), copy.path());
    const auto found = open_groups(copy.path())->text();
    // A line that is shorter than what failed.
    EXPECT_EQ(groups->set("g", "t", 0, 1).index(), 0u);
    EXPECT_EQ(model->set("g", "t", 0, 1).index(), 0u);
    EXPECT_EQ(text_after_a_kill(dir.path()), groups->text());
    EXPECT_TRUE(step(*groups));
    EXPECT_TRUE(found == before || found == after);
    EXPECT_EQ(text_after_a_kill(dir.path()), groups->text());
  }
  const std::string last = groups->text();
  EXPECT_EQ(text_after_a_kill(dir.path()), last);
  groups.reset();
  EXPECT_EQ(open_groups(dir.path())->text(), last);
  return failed;
}

TEST(GroupJournal, AnErrorOfTheDiskAtAnyStepIsToldAndNothingElseIsLost) {
  for (const int wrong : {ENOSPC, EIO}) {
    std::set<std::string> kinds;
    for (int at = 0;; ++at) {
      SCOPED_TRACE("errno " + std::to_string(wrong) + " at call " + std::to_string(at));
      const std::string failed = run_with_an_error(wrong, at);
      if (failed.empty() || HasFailure()) break;
      kinds.insert(failed);
    }
    EXPECT_EQ(kinds, (std::set<std::string>{"fdatasync", "fsync", "half a write", "pwrite",
                                            "rename", "unlink", "write"}));
  }
}

TEST(GroupJournal, NamesTheTableThatLiesThereAlsoAfterAnErrorInItsReplacement) {
  const TempDir dir;
  ASSERT_TRUE(commit(1, 7)(*open_groups(dir.path())));
  const auto groups = open_groups(dir.path());
  std::atomic<bool> failed{false};
  {
    // The table is renamed, and then its directory cannot be made durable.
    int fsyncs = 0;
    const test::FileCalls calls([&](const std::string& call) {
      if (call != "fsync" || ++fsyncs != 2) return 0;
      failed = true;
      return EIO;
    });
    ASSERT_EQ(groups->replace(R"({"offsetTable":{"t@g":{"0":3}}})"), std::nullopt);
    ASSERT_TRUE(store::eventually([&] { return failed.load(); }));
    ASSERT_TRUE(commit(2, 9)(*groups));
  }
  EXPECT_EQ(text_after_a_kill(dir.path()), groups->text());
}

TEST(GroupJournal, AFullDiskAtTheStopLeavesTheJournalWithAllOfIt) {
  const TempDir dir;
  auto groups = open_groups(dir.path());
  ASSERT_TRUE(commit(1, 7)(*groups));
  const std::string text = groups->text();
  {
    const test::FileCalls calls([](const std::string&) { return ENOSPC; });
    groups.reset();
  }
  EXPECT_TRUE(fs::exists(dir.path() + kJournal));
  EXPECT_EQ(open_groups(dir.path())->text(), text);
  EXPECT_FALSE(fs::exists(dir.path() + kJournal));
}

// A table of one commit and a journal of ten, as a kill leaves them.
struct Killed {
  TempDir dir;
  std::string table, journal;
  std::vector<std::size_t> ends;  // of the journal's lines

  Killed() {
    {
      const auto groups = open_groups(dir.path());
      EXPECT_EQ(groups->set("g", "t", 0, 1).index(), 0u);
    }
    const auto groups = open_groups(dir.path());
    for (int i = 2; i <= 11; ++i) EXPECT_EQ(groups->set("g", "t", 0, i).index(), 0u);
    table = read(dir.path() + kTable);
    journal = read(dir.path() + kJournal);
    for (std::size_t i = 0; i < journal.size(); ++i)
      if (journal[i] == '\n') ends.push_back(i + 1);
  }
  // The offset that the next process finds, where a name of "" means that the file is not there.
  std::int64_t open(const std::string& with_table, const std::string& with_journal) {
    for (const auto& [name, bytes] : {std::pair(kTable, with_table), {kJournal, with_journal}}) {
      fs::remove(dir.path() + name);
      if (!bytes.empty()) write(dir.path() + name, bytes);
    }
    return open_groups(dir.path())->get("g", "t", 0);
  }
};

TEST(GroupJournal, IsReadUpToTheLastWholeLineWhereverItIsCut) {
  Killed killed;
  ASSERT_EQ(killed.ends.size(), 11u);
  for (std::size_t size = killed.ends[0]; size <= killed.journal.size(); ++size) {
    const auto lines = std::count(killed.journal.begin(),
                                  killed.journal.begin() + static_cast<std::ptrdiff_t>(size), '\n');
    ASSERT_EQ(killed.open(killed.table, killed.journal.substr(0, size)), lines) << size;
    ASSERT_EQ(read(killed.dir.path() + kTable).find("removed"), std::string::npos);
  }
}

TEST(GroupJournal, OfWhichAByteIsWrongGivesNoOffsetThatWasNotCommitted) {
  Killed killed;
  for (std::size_t at = 0; at < killed.journal.size(); ++at) {
    for (const char flip : {'\x01', '\x20', '\x7F'}) {
      std::string journal = killed.journal;
      journal[at] = static_cast<char>(journal[at] ^ flip);
      const auto line = std::upper_bound(killed.ends.begin(), killed.ends.end(), at);
      // What stands before the line counts.
      const std::int64_t expected = std::max<std::int64_t>(1, line - killed.ends.begin());
      ASSERT_EQ(killed.open(killed.table, journal), expected) << at;
    }
  }
  // It is evidence, so none of it is removed.
  // Without its last byte it is what a kill leaves.
  EXPECT_EQ(moved_aside(killed.dir.path()), 3 * (killed.journal.size() - 1));
}

TEST(GroupJournal, OfAnotherTableDoesNotCountAndIsMovedAside) {
  Killed killed;
  const std::string other = R"({"offsetTable":{"t@g":{0:5}}})";
  const std::vector<std::pair<std::string, std::int64_t>> tables = {
      {other, 5}, {killed.table + " ", 1}, {"", -1}, {"damaged", -1}};
  std::size_t moved = 0;
  for (const auto& [table, expected] : tables) {
    EXPECT_EQ(killed.open(table, killed.journal), expected) << table;
    moved += table == "damaged" ? 2 : 1;
    EXPECT_EQ(moved_aside(killed.dir.path()), moved) << table;
    EXPECT_FALSE(fs::exists(killed.dir.path() + kJournal));
  }
  // Nor what stands before the line that names it last: the table has that, or is older by more.
  EXPECT_EQ(killed.open(killed.table, killed.journal + killed.journal.substr(0, killed.ends[0])),
            1);
  // Nor does what is not a journal.
  for (const std::string& bad : {std::string(1, '\n'), std::string(1000, '\0'), std::string("{}"),
                                 std::string(1000, '\n'), killed.journal.substr(killed.ends[0])}) {
    EXPECT_EQ(killed.open(killed.table, bad), 1) << bad;
    EXPECT_EQ(moved_aside(killed.dir.path()), ++moved) << bad;
  }
  write(killed.dir.path() + kJournal, "");
  EXPECT_EQ(open_groups(killed.dir.path())->get("g", "t", 0), 1);
  EXPECT_EQ(moved_aside(killed.dir.path()), ++moved);
  // One that the system does not give is another matter: it may be a good one.
  fs::create_directory(killed.dir.path() + kJournal);
  const auto refused =
      GroupOffsets::open(killed.dir.path(), [](const std::string&, int) { return INT64_MAX; });
  ASSERT_TRUE(std::holds_alternative<Error>(refused));
  EXPECT_NE(std::get<Error>(refused).text.find(kJournal), std::string::npos);
}

TEST(GroupJournal, WithoutOneTheTableIsAllAndAnOlderVersionFindsAllInTheTable) {
  Killed killed;
  EXPECT_EQ(killed.open(killed.table, ""), 1);
  EXPECT_FALSE(fs::exists(killed.dir.path() + kJournal));
  EXPECT_EQ(killed.open(killed.table, killed.journal), 11);
  EXPECT_EQ(read(killed.dir.path() + kTable), R"({"offsetTable":{"t@g":{"0":11}}})");
  // Between two commits only the journal grows.
  const auto groups = open_groups(killed.dir.path());
  ASSERT_EQ(groups->set("g", "t", 0, 12).index(), 0u);
  const auto table_inode = [&] {
    struct stat now {};
    EXPECT_EQ(::stat((killed.dir.path() + kTable).c_str(), &now), 0);
    return now.st_ino;
  };
  const auto before = table_inode();
  for (int i = 13; i < 100; ++i) ASSERT_EQ(groups->set("g", "t", 0, i).index(), 0u);
  EXPECT_EQ(table_inode(), before);
  // Nor is the table written by the next process.
  const TempDir copy;
  copy_files(killed.dir.path(), copy.path());
  const auto next = open_groups(copy.path());
  ASSERT_EQ(next->set("g", "t", 0, 100).index(), 0u);
  EXPECT_EQ(read(copy.path() + kTable), read(killed.dir.path() + kTable));
  EXPECT_EQ(text_after_a_kill(copy.path()), next->text());
}

TEST(GroupJournal, KeepsWhatASlaveTookInAsPending) {
  const TempDir dir, copy;
  const auto groups = open_groups(dir.path());
  ASSERT_EQ(groups->set("g", "t", 0, 5).index(), 0u);
  ASSERT_EQ(groups->set("g", "u", 0, 6, true).index(), 0u);
  copy_files(dir.path(), copy.path());
  const auto next = open_groups(copy.path());
  EXPECT_EQ(next->pending_text(), R"({"offsetTable":{"u@g":{"0":6}}})");
  EXPECT_EQ(next->text(), groups->text());
  EXPECT_EQ(next->size().bytes, groups->size().bytes);
}

TEST(GroupJournal, ThatMayNotBeWrittenToIsReplacedWithTheTable) {
  Killed killed;
  write(killed.dir.path() + kTable, killed.table);
  write(killed.dir.path() + kJournal, killed.journal);
  fs::permissions(killed.dir.path() + kJournal, fs::perms::owner_read);
  fs::permissions(killed.dir.path() + kTable, fs::perms::owner_read);
  const auto groups = open_groups(killed.dir.path());
  EXPECT_EQ(groups->get("g", "t", 0), 11);
  ASSERT_EQ(groups->set("g", "t", 0, 12).index(), 0u);
  EXPECT_EQ(text_after_a_kill(killed.dir.path()), groups->text());
}

TEST(GroupJournal, IsKeptWithTheTableThatAMasterWithoutOffsetsEmpties) {
  Killed killed;
  const std::string dir = killed.dir.path();
  write(dir + kTable, killed.table);
  write(dir + kJournal, killed.journal);
  auto groups = open_groups(dir);
  ASSERT_EQ(groups->replace(R"({"offsetTable":{}})"), std::nullopt);
  groups.reset();
  EXPECT_EQ(open_groups(dir)->get("g", "t", 0), -1);
  // As an operator uses them again.
  std::vector<fs::path> kept;
  for (const auto& entry : fs::directory_iterator(dir + "/config"))
    if (entry.path().string().find(".replaced-") != std::string::npos) kept.push_back(entry.path());
  ASSERT_EQ(kept.size(), 2u);
  for (const auto& path : kept) {
    const std::string name = path.string();
    fs::rename(path, name.substr(0, name.find(".replaced-")));
  }
  EXPECT_EQ(open_groups(dir)->get("g", "t", 0), 11);
}

// The bytes of what is written instead of the time that it takes.
TEST(GroupJournal, ACommitWritesAsMuchAmongTenThousandAsAmongTen) {
  constexpr std::int64_t kLine = 100;
  for (const int pairs : {10, 10'000}) {
    const TempDir dir;
    const auto groups = open_groups(dir.path());
    const test::FileCalls calls(nullptr);
    for (int i = 0; i < pairs; ++i)
      ASSERT_EQ(groups->set("group-" + std::to_string(i), "topic", 0, 1).index(), 0u);
    // The table is written again whenever it has doubled or so.
    EXPECT_LT(calls.bytes_written(), 4 * kLine * pairs);
    EXPECT_EQ(groups->size().pairs, pairs);
    std::vector<std::int64_t> each;
    for (int i = 0; i < 101; ++i) {
      const auto before = calls.bytes_written();
      ASSERT_EQ(groups->set("group-" + std::to_string(i * 97 % pairs), "topic", 0, 2).index(), 0u);
      each.push_back(calls.bytes_written() - before);
    }
    std::nth_element(each.begin(), each.begin() + 50, each.end());
    EXPECT_LT(each[50], kLine) << pairs;
    // A deletion too.
    const auto before = calls.bytes_written();
    EXPECT_EQ(std::get<std::int64_t>(groups->remove("group-7", "topic")), 1);
    EXPECT_LT(calls.bytes_written() - before, kLine);
  }
}

}  // namespace
}  // namespace stub
