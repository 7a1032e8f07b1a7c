// SPDX-License-Identifier: Apache-2.0
// What the library shows of itself, and that it goes when it is told to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "test_node.h"

namespace ha::test {
namespace {

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string all;
  char piece[4096];
  for (std::size_t n; (n = std::fread(piece, 1, sizeof(piece), pipe.get())) > 0;) {
    all.append(piece, n);
  }
  return all;
}

bool is_mapped() {
  std::ifstream maps("/proc/self/maps");
  const std::string name = std::filesystem::canonical(HA_TEST_PLUGIN);
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) != std::string::npos) return true;
  }
  return false;
}

TEST(Symbols, ExactlyOneIsExported) {
  const std::string all = output_of("nm -D --defined-only " HA_TEST_PLUGIN);
  EXPECT_THAT(all, testing::MatchesRegex("[0-9a-f]+ T " HA_ENTRY_NAME "\n"));
}

TEST(Symbols, TheEntryIsPure) {
  MemoryLog log;
  const HostBinding host = bind_host(log);
  const Plugin first = real_plugin(host);
  const Plugin second = real_plugin(host);
  EXPECT_EQ(first.api().create, second.api().create);
  EXPECT_EQ(log.lines(), "");
}

TEST(Unload, TheLibraryGoesWithItsLastUserAndComesBack) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_FALSE(is_mapped()) << "round " << round;
    {
      Pair pair(Options{{"metrics_listen", "127.0.0.1:0"}});
      const std::int64_t end = pair.master.produce("x\n");
      EXPECT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);
      EXPECT_TRUE(pair.master.instance.metrics_text());
      EXPECT_TRUE(pair.master.instance.status_json());
      EXPECT_TRUE(is_mapped());
    }
    ASSERT_FALSE(is_mapped()) << "round " << round << ": the library stayed after its last user";
  }
}

// OpenSSL stays, and must hold on to nothing of the plugin.
TEST(Unload, TheLibraryGoesUnderTlsToo) {
  for (int round = 0; round < 3; ++round) {
    {
      Pair pair(under_tls("a"), under_tls("b"));
      const std::int64_t end = pair.master.produce("x\n");
      EXPECT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);
    }
    ASSERT_FALSE(is_mapped()) << "round " << round;
  }
}

TEST(Unload, AnInstanceKeepsItsLibrary) {
  MemoryLog log;
  const HostBinding host = bind_host(log);
  {
    auto instance = Instance::create(real_plugin(host), host, {{"listen", "127.0.0.1:0"}}).value();
    EXPECT_TRUE(is_mapped());
  }
  EXPECT_FALSE(is_mapped());
}

}  // namespace
}  // namespace ha::test
