// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/cut_copy.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/memory_host.h"
#include "tests/unit/state_dir.h"

namespace ha::net {
namespace {

namespace fs = std::filesystem;
using core::Offset;
using testing::MemoryHost;
using testing::StateDir;

class CutCopyLimits : public ::testing::Test {
 protected:
  CutCopyLimits() : host_(memory_.api(), &memory_), copy_(host_, metrics_) { memory_.grow(1000); }

  std::string path(const std::string& name) const { return dir_.path() + "/" + name; }
  // A file of that size from an earlier cut, so many hours ago.
  void earlier(const std::string& name, std::uintmax_t size, int hours) {
    dir_.write(name, "");
    fs::resize_file(path(name), size);
    fs::last_write_time(path(name), fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }
  void cut(const std::string& name) {
    std::string failed;
    ASSERT_EQ(copy_.copy(Offset(900), Offset(1000), dir_.path(), path(name), failed),
              CutCopy::State::kDone)
        << failed;
  }

  StateDir dir_;
  MemoryHost memory_;
  const Host host_;
  metrics::ClientMetrics metrics_;
  CutCopy copy_;
};

TEST_F(CutCopyLimits, TheNewestFilesAreKept) {
  for (int i = 0; i < 9; ++i) earlier("ha_cut-" + std::to_string(i), 10, 100 - i);
  dir_.write("ha_term.json", "not one of them");
  fs::create_directory(path("ha_cut-directory"));
  fs::create_symlink("ha_term.json", path("ha_cut-link"));
  cut("ha_cut-new");
  EXPECT_FALSE(dir_.has("ha_cut-0"));
  EXPECT_FALSE(dir_.has("ha_cut-1"));
  for (int i = 2; i < 9; ++i) EXPECT_TRUE(dir_.has("ha_cut-" + std::to_string(i))) << i;
  EXPECT_EQ(dir_.read("ha_cut-new").size(), 100U);
  for (const char* other : {"ha_term.json", "ha_cut-directory", "ha_cut-link"}) {
    EXPECT_TRUE(dir_.has(other)) << other;
  }
  EXPECT_EQ(metrics_.cut_copies_removed.value(), 2U);
  EXPECT_EQ(metrics_.cut_copies_bytes.value(), 7 * 10 + 100);
  EXPECT_TRUE(memory_.wait_for_log("removed " + path("ha_cut-0")));
  cut("ha_cut-new");  // again, as after a crash before the log was cut
  EXPECT_EQ(metrics_.cut_copies_removed.value(), 2U);
}

TEST_F(CutCopyLimits, TheOldestBytesMakeRoomAndTheNewestStayWhole) {
  earlier("ha_cut-old", 400 << 20, 3);
  earlier("ha_cut-older", 400 << 20, 4);
  earlier("ha_cut-young", 400 << 20, 1);
  cut("ha_cut-new");
  EXPECT_FALSE(dir_.has("ha_cut-older"));
  EXPECT_TRUE(dir_.has("ha_cut-old"));
  EXPECT_TRUE(dir_.has("ha_cut-young"));
  earlier("ha_cut-huge", CutCopy::kMostBytes, 2);
  cut("ha_cut-newer");
  EXPECT_FALSE(dir_.has("ha_cut-old"));
  EXPECT_FALSE(dir_.has("ha_cut-huge"));
  EXPECT_TRUE(dir_.has("ha_cut-young"));
  EXPECT_TRUE(dir_.has("ha_cut-newer"));
}

}  // namespace
}  // namespace ha::net
