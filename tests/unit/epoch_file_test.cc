// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/epoch_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/core/printing.h"
#include "tests/unit/state_dir.h"

namespace ha {
namespace {

using core::EpochEntry;
using core::EpochHistory;
using core::Offset;
using testing::StateDir;

EpochHistory history(const std::vector<EpochEntry>& entries) {
  EpochHistory all;
  for (const EpochEntry& e : entries) EXPECT_TRUE(all.append(e)) << e.epoch;
  return all;
}

const char* const kGolden = "2\n773307083\n7-7000\n8-8000\n";  // of RocketMQ's CheckpointFile
EpochHistory golden() { return history({{7, Offset(7000)}, {8, Offset(8000)}}); }

TEST(EpochFileText, IsRocketMqs) {
  EXPECT_EQ(format_epochs(golden()), kGolden);
  EpochHistory parsed;
  EXPECT_EQ(parse_epochs(kGolden, parsed), "");
  EXPECT_EQ(parsed, golden());
}

// The CRC-32 of this line is 0xb28776d3.
TEST(EpochFileText, TheChecksumLacksItsTopBit) {
  EXPECT_EQ(format_epochs(history({{3, Offset(3000)}})), "1\n847738579\n3-3000\n");
  EpochHistory parsed;
  EXPECT_EQ(parse_epochs("1\n847738579\n3-3000\n", parsed), "");
  EXPECT_NE(parse_epochs("1\n2995222227\n3-3000\n", parsed), "");
}

TEST(EpochFileText, AChecksumOfZeroIsNotChecked) {
  EpochHistory parsed;
  EXPECT_EQ(parse_epochs("2\n0\n7-7000\n8-8000\n", parsed), "");
  EXPECT_EQ(parsed, golden());
  EXPECT_EQ(parse_epochs("2\n773307083\n7-7000\n8-8000", parsed), "");  // the last line end
  EXPECT_EQ(parsed, golden());
  EXPECT_EQ(parse_epochs("0\n0\n", parsed), "");
  EXPECT_TRUE(parsed.empty());
}

TEST(EpochFileText, DamageIsNamed) {
  struct Row {
    const char* text;
    const char* words;
  };
  const Row rows[] = {
      {"", "line 1"},
      {"\n", "line 1"},
      {"x\n0\n1-0\n", "line 1"},
      {"1\n", "line 2"},
      {"1\n-5\n1-0\n", "line 2"},
      {"2\n773307083\n7-7000\n8-8001\n", "checksum"},
      {"2\n773307084\n7-7000\n8-8000\n", "773307084"},
      {"2\n0\n7-7000\n", "1 entries and says 2"},
      {"1\n0\n7-7000\n8-8000\n", "2 entries and says 1"},
      {"1\n0\n7000\n", "line 3"},
      {"1\n0\n7-\n", "line 3"},
      {"1\n0\n-7\n", "line 3"},
      {"1\n0\n7-70-0\n", "line 3"},
      {"1\n0\n7-99999999999999999999\n", "line 3"},
      {"1\n0\n2147483648-0\n", "line 3, '2147483648-0'"},
      {"1\n0\n-1-0\n", "line 3"},
      {"1\n0\n1--1\n", "line 3"},
      {"2\n0\n1-0\n\n", "line 4"},
      {"2\n0\n8-7000\n7-8000\n", "line 4 does not rise"},
      {"2\n0\n7-8000\n8-8000\n", "line 4 does not rise"},
  };
  for (const Row& row : rows) {
    EpochHistory parsed = golden();
    const std::string wrong = parse_epochs(row.text, parsed);
    EXPECT_NE(wrong.find(row.words), std::string::npos) << row.text << ": " << wrong;
    EXPECT_TRUE(parsed.empty()) << row.text;
  }
}

TEST(EpochFile, WhatWasSavedIsLoaded) {
  StateDir dir;
  const EpochFile file(dir.path());
  EXPECT_TRUE(file.load().history.empty());
  EXPECT_EQ(file.load().error, "");
  ASSERT_EQ(file.save(golden()), "");
  EXPECT_EQ(dir.read("epochFileCheckpoint"), kGolden);
  EXPECT_FALSE(dir.has("epochFileCheckpoint.bak"));
  const EpochFile::Loaded loaded = file.load();
  EXPECT_EQ(loaded.history, golden());
  EXPECT_EQ(loaded.error + loaded.note, "");
}

TEST(EpochFile, TheContentBeforeTheLastSaveIsTheBackup) {
  StateDir dir;
  const EpochFile file(dir.path());
  ASSERT_EQ(file.save(history({{7, Offset(7000)}})), "");
  const std::string first = dir.read("epochFileCheckpoint");
  ASSERT_EQ(file.save(golden()), "");
  EXPECT_EQ(dir.read("epochFileCheckpoint"), kGolden);
  EXPECT_EQ(dir.read("epochFileCheckpoint.bak"), first);
}

TEST(EpochFile, TheBackupIsReadWhereRocketMqReadsIt) {
  for (const char* main : {"", "0\n0\n", "2\n1\n7-7000\n8-8000\n", "rubbish"}) {
    StateDir dir;
    dir.write("epochFileCheckpoint", main);
    dir.write("epochFileCheckpoint.bak", kGolden);
    const EpochFile::Loaded loaded = EpochFile(dir.path()).load();
    EXPECT_EQ(loaded.history, golden()) << main;
    EXPECT_EQ(loaded.error, "") << main;
    EXPECT_NE(loaded.note.find("backup is used"), std::string::npos) << main;
  }
  StateDir dir;
  dir.write("epochFileCheckpoint.bak", kGolden);
  EXPECT_EQ(EpochFile(dir.path()).load().history, golden());
}

TEST(EpochFile, DamageWithoutABackupIsAnErrorAndNoEmptyHistory) {
  StateDir dir;
  const EpochFile file(dir.path());
  dir.write("epochFileCheckpoint", "2\n1\n7-7000\n8-8000\n");
  EXPECT_NE(file.load().error.find(file.path()), std::string::npos) << file.load().error;
  EXPECT_NE(file.load().error.find("checksum"), std::string::npos) << file.load().error;
  dir.write("epochFileCheckpoint.bak", "rubbish");
  EXPECT_NE(file.load().error.find(".bak' is damaged"), std::string::npos) << file.load().error;
  EXPECT_TRUE(file.load().history.empty());
  // Nothing but a damaged backup: there was a history once.
  dir.remove("epochFileCheckpoint");
  EXPECT_NE(file.load().error, "");
}

TEST(EpochFile, ADamagedFileDoesNotBecomeTheBackup) {
  StateDir dir;
  const EpochFile file(dir.path());
  dir.write("epochFileCheckpoint", "rubbish");
  dir.write("epochFileCheckpoint.bak", kGolden);
  ASSERT_EQ(file.save(history({{7, Offset(7000)}})), "");
  EXPECT_EQ(dir.read("epochFileCheckpoint.bak"), kGolden);
  EXPECT_EQ(file.load().history, history({{7, Offset(7000)}}));
}

// RocketMQ leaves the old file, and its entries come back with the next start.
TEST(EpochFile, AnEmptyHistoryLeavesNothingToComeBack) {
  StateDir dir;
  const EpochFile file(dir.path());
  ASSERT_EQ(file.save(history({{7, Offset(7000)}})), "");
  ASSERT_EQ(file.save(golden()), "");
  ASSERT_EQ(file.save({}), "");
  EXPECT_TRUE(file.load().history.empty());
  EXPECT_EQ(file.load().error + file.load().note, "");
  ASSERT_EQ(file.save({}), "");
}

TEST(EpochFile, WhatASaveLeftBehindDoesNoHarm) {
  StateDir dir;
  const EpochFile file(dir.path());
  dir.write("epochFileCheckpoint.tmp", std::string(5000, 'x'));
  ASSERT_EQ(file.save(golden()), "");
  EXPECT_EQ(dir.read("epochFileCheckpoint"), kGolden);
}

TEST(EpochFile, WhatTheSystemRefusesIsNamed) {
  StateDir dir;
  const EpochFile gone(dir.path() + "/none");
  EXPECT_EQ(gone.load().error, "");  // there is nothing to be read
  EXPECT_NE(gone.save(golden()).find("No such file"), std::string::npos) << gone.save(golden());
  EXPECT_NE(gone.save(golden()).find(dir.path() + "/none"), std::string::npos);

  const EpochFile file(dir.path());
  std::filesystem::create_directory(file.path() + ".tmp");
  EXPECT_NE(file.save(golden()).find("Is a directory"), std::string::npos) << file.save(golden());
  std::filesystem::create_directory(file.path());
  EXPECT_NE(file.load().error.find("Is a directory"), std::string::npos) << file.load().error;
}

TEST(EpochFile, AFileBeyondAllReasonIsNotTakenIn) {
  StateDir dir;
  dir.write("epochFileCheckpoint", std::string((1 << 20) + 1, '1'));
  const std::string error = EpochFile(dir.path()).load().error;
  EXPECT_NE(error.find("more than 1048576 bytes"), std::string::npos) << error.substr(0, 300);
}

}  // namespace
}  // namespace ha
