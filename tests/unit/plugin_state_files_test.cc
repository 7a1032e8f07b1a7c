// SPDX-License-Identifier: Apache-2.0
// What lies in state_dir when a node starts: missing, cut, empty, garbage, another thing than a
// file.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/unit/epoch_set.h"

namespace ha::testing {
namespace {

bool has_cut_file(const StateDir& state) {
  for (const auto& entry : std::filesystem::directory_iterator(state.path())) {
    if (entry.path().filename().string().starts_with("ha_cut-")) return true;
  }
  return false;
}

struct File {
  const char* name;
  Options options;
};
const File kFiles[] = {
    {"ha_term.json", {{"replica_id", "a"}, {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2"}}},
    {"ha_degraded.json", {}},
    {"epochFileCheckpoint", {{"wire", "rocketmq-autoswitch"}}},
};

TEST(StateFiles, ADamagedOneIsNamedAtStartAndMayBeRepaired) {
  for (const File& file : kFiles) {
    for (const std::string content : {"", "{\"format\":1,\"promi", "\xff\x00garbage", "DIR"}) {
      StateDir state;
      if (content == "DIR") {
        std::filesystem::create_directory(state.path() + "/" + file.name);
      } else {
        state.write(file.name, content);
      }
      Options options = native({{"state_dir", state.path()}});
      options.insert(options.end(), file.options.begin(), file.options.end());
      MemoryHost host;
      Instance node(host, options);
      EXPECT_EQ(node.start(HA_ROLE_NONE), HA_CORRUPT) << file.name << " with '" << content << "'";
      const std::string why = node.error().text;
      EXPECT_NE(why.find(state.path() + "/" + file.name), std::string::npos) << why;
      EXPECT_NE(why.find("restore the file"), std::string::npos) << why;
      state.remove(file.name);
      EXPECT_EQ(node.start(HA_ROLE_NONE), HA_OK) << node.error().text;
      EXPECT_TRUE(host.wait_for_role(HA_ROLE_NONE));
    }
  }
}

TEST(StateFiles, TheLocksContentIsOfNoMatter) {
  for (const std::string content : {"", "99999999999999999999", "no number"}) {
    StateDir state;
    state.write("ha_state.lock", content);
    MemoryHost host;
    Instance node(host, {{"state_dir", state.path()}});
    EXPECT_EQ(node.start(HA_ROLE_NONE), HA_OK) << node.error().text;
  }
  StateDir state;
  std::filesystem::create_directory(state.path() + "/ha_state.lock");
  MemoryHost host;
  Instance node(host, {{"state_dir", state.path()}});
  EXPECT_EQ(node.start(HA_ROLE_NONE), HA_IO);
  EXPECT_NE(std::string(node.error().text).find(state.path() + "/ha_state.lock"), std::string::npos)
      << node.error().text;
}

using LostHistory = EpochSet;

// Its whole log would go. That is not copied, not cut, and called by its name.
TEST_F(LostHistory, IsSaidAndNothingIsCopied) {
  start_three();
  const std::int64_t end = grow(a(), 5000);
  ASSERT_TRUE(c().host.wait_for_end(end));
  ASSERT_TRUE(c().host.wait_for_confirm(end));
  c().plugin.reset();
  const std::string kept = c().state.read("ha_term.json");
  c().state.remove("ha_term.json");
  for (int start = 1; start <= 2; ++start) {
    follow(c(), address(a()));
    EXPECT_TRUE(c().host.wait_for_log("nothing says who wrote them"));
    ASSERT_TRUE(c().host.wait_for_log("the history of this log is missing", start));
    EXPECT_TRUE(Instance::eventually(
        [&] { return c().plugin->snapshot().total.client_state == HA_STATE_SUSPEND; }));
    EXPECT_EQ(c().plugin->snapshot().total.client_reason, HA_REASON_DIVERGED);
    c().plugin.reset();
    EXPECT_FALSE(has_cut_file(c().state));
    EXPECT_EQ(c().host.end(), end);
  }
  c().state.write("ha_term.json", kept);
  follow(c(), address(a()));
  EXPECT_TRUE(c().host.wait_for_end(grow(a(), 100))) << "with its history it goes on";
}

// More than is copied at once: the slave comes back for the cut when the copy is there.
TEST_F(LostHistory, ALongRangeIsCopiedBesideTheIoThread) {
  make(2);
  start_all({{"default_copies", "1"}});
  const std::int64_t end = grow(a(), 5000);
  ASSERT_TRUE(b().host.wait_for_end(end));
  b().plugin.reset();
  constexpr std::int64_t kLong = (std::int64_t{8} << 20) + 1;
  const std::int64_t cut = a().host.grow(kLong);
  a().plugin.reset();
  start(b(), HA_ROLE_NONE, {{"default_copies", "1"}});
  ASSERT_TRUE(Instance::eventually([&] { return last_role(b()).role == HA_ROLE_NONE; }));
  promote(b(), HA_ROLE_CHANGE_FORCE);
  const std::int64_t further = grow(b(), 60);
  follow(a(), address(b()), {{"default_copies", "1"}, {"allow_unsafe_truncation", "true"}});
  ASSERT_TRUE(a().host.wait_for_log("is being copied to"));
  ASSERT_TRUE(a().host.wait_for_log("cut the log from"));
  ASSERT_TRUE(Instance::eventually([&] { return a().host.end() == further; }));
  const std::string name = "ha_cut-" + std::to_string(end) + "-" + std::to_string(cut) + "-epoch-1";
  const std::vector<std::byte> bytes = bytes_at(end, kLong);
  EXPECT_EQ(a().state.read(name),
            std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace
}  // namespace ha::testing
