// SPDX-License-Identifier: Apache-2.0
// Every file that the store reads at its start, gone bad in every way: each is a clear error that
// names it or does no harm at all, and what an error is about is left as it was.
#include <gtest/gtest.h>

#include <filesystem>

#include "store_fixture.h"

namespace stub::store {
namespace {

namespace fs = std::filesystem;

constexpr int kMessages = 9;  // three segments

struct Case {
  const char* name;
  std::string file;                // in the store
  std::string becomes;             // empty, cut, garbage, directory
  std::vector<std::string> words;  // of the error, which names the file; none: it opens
};

const std::string kFirst = "commitlog/00000000000000000000";
const std::string kLast = "commitlog/00000000000000008192";

const std::vector<Case> kCases = {
    {"MarkEmpty", "commit_mark", "empty", {"remove the file"}},
    {"MarkCut", "commit_mark", "cut", {"4096", "remove the file"}},
    {"MarkGarbage", "commit_mark", "garbage", {"remove the file"}},
    {"MarkDirectory", "commit_mark", "directory", {"directory"}},
    {"LockEmpty", "lock", "empty", {}},
    {"LockGarbage", "lock", "garbage", {}},
    {"LockDirectory", "lock", "directory", {"directory"}},
    {"FirstEmpty", kFirst, "empty", {"empty", "restore"}},
    {"FirstCut", kFirst, "cut", {"2048", "4096", "restore", "slave"}},
    {"FirstGarbage", kFirst, "garbage", {"Ways out"}},
    {"FirstDirectory", kFirst, "directory", {"directory"}},
    {"LastEmpty", kLast, "empty", {"empty", "restore"}},
    {"LastCut", kLast, "cut", {"2048", "4096", "restore", "slave"}},
    {"LastGarbage", kLast, "garbage", {"Ways out"}},
};

void spoil(const std::string& path, const std::string& becomes) {
  const std::string held = slurp(path);
  fs::remove(path);
  if (becomes == "directory") {
    fs::create_directories(path);
    return;
  }
  const std::string content = becomes == "garbage" ? std::string(held.size(), '\xA5')
                              : becomes == "cut"   ? held.substr(0, held.size() / 2)
                                                   : "";
  ASSERT_FALSE(replace_file(path, content));
}

class StartFiles : public testing::TestWithParam<Case> {};

TEST_P(StartFiles, IsAClearErrorOrNoHarm) {
  const Case& c = GetParam();
  const TempDir dir;
  {
    Store store;
    store.open_or_die(test_options(dir.path()));
    for (int i = 0; i < kMessages; ++i)
      ASSERT_FALSE(store.put("t", std::string(1000, static_cast<char>('a' + i))).error);
  }
  const std::string path = dir.path() + "/" + c.file;
  spoil(path, c.becomes);
  const std::string before = c.becomes == "directory" ? "" : slurp(path);
  Store store;
  const auto error = store.open(test_options(dir.path(), 0));
  if (c.words.empty()) {
    ASSERT_FALSE(error) << error->text;
    EXPECT_EQ(store.index.count("t", std::nullopt), kMessages);
    return;
  }
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find(path), std::string::npos) << error->text;
  for (const auto& word : c.words)
    EXPECT_NE(error->text.find(word), std::string::npos) << word << " in " << error->text;
  EXPECT_EQ(error->text.find("segment-size"), std::string::npos) << error->text;
  ASSERT_TRUE(fs::exists(path));
  if (c.becomes != "directory") {
    EXPECT_EQ(slurp(path), before);
  }
}

INSTANTIATE_TEST_SUITE_P(All, StartFiles, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

// Without a mark the segments are compared with each other.
TEST(StartFilesUnmarked, ASegmentThatWasCutShortIsNamed) {
  for (const auto& file : {kFirst, kLast}) {
    const TempDir dir;
    {
      Store store;
      store.open_or_die(test_options(dir.path(), 8192));
      for (int i = 0; i < kMessages; ++i) store.put("t", std::string(3000, 'x'));
    }
    fs::remove(dir.path() + "/commit_mark");
    const std::string path =
        file == kLast ? segment_path(dir.path(), 16384) : dir.path() + "/" + file;
    fs::resize_file(path, 4096);
    Store store;
    const auto error = store.open(test_options(dir.path(), 0));
    ASSERT_TRUE(error);
    for (const std::string& word : {path, std::string("4096"), std::string("8192")})
      EXPECT_NE(error->text.find(word), std::string::npos) << word << " in " << error->text;
    EXPECT_EQ(error->text.find("segment-size"), std::string::npos) << error->text;
  }
}

}  // namespace
}  // namespace stub::store
