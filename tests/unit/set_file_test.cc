// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/set_file.h"

#include <gtest/gtest.h>

#include "tests/unit/state_dir.h"

namespace ha {
namespace {

using testing::StateDir;

WrittenSet some_set() {
  WrittenSet set;
  set.members = {4, {{"a", "b"}, 2}, {{"a", "b", "c"}, 2}, "", "a", 7};
  set.replicas.nodes = {
      {"a", {"10.0.0.1", 10912}}, {"b", {"::1", 10912}}, {"c", {"node-c.example", 1}}};
  return set;
}

void expect_same(const WrittenSet& one, const WrittenSet& other) {
  EXPECT_EQ(one.members, other.members);
  EXPECT_EQ(one.replicas.text(), other.replicas.text());
}

TEST(SetFile, WhatWasSavedIsLoaded) {
  const StateDir dir;
  const SetFile file(StateStore(dir.path()));
  WrittenSet loaded = some_set();
  EXPECT_EQ(file.load(loaded), "");
  expect_same(loaded, {});
  EXPECT_EQ(file.save(some_set()), "");
  EXPECT_EQ(file.load(loaded), "");
  expect_same(loaded, some_set());
  WrittenSet joins = some_set();
  joins.members.next = {};
  joins.members.joining = "c";
  EXPECT_EQ(file.save(joins), "");
  EXPECT_EQ(file.load(loaded), "");
  expect_same(loaded, joins);
}

TEST(SetFile, WhoHasLeftIsNotWritten) {
  WrittenSet set = some_set();
  set.members.next = {};
  WrittenSet read;
  ASSERT_EQ(parse_set(format_set(set), read), "");
  EXPECT_EQ(read.replicas.text(), "a@10.0.0.1:10912,b@[::1]:10912");
}

// A node that went back to an older set could help it to decide: whatever is not whole is an error.
TEST(SetFile, ADamagedFileIsNotTakenForNone) {
  const StateDir dir;
  const SetFile file(StateStore(dir.path()));
  ASSERT_EQ(file.save(some_set()), "");
  const std::string text = dir.read("ha_set.json");
  WrittenSet out;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    dir.write("ha_set.json", changed);
    EXPECT_NE(file.load(out), "") << i;
    if (i == 0) continue;  // an empty file is none
    dir.write("ha_set.json", text.substr(0, i));
    EXPECT_NE(file.load(out), "") << i;
  }
}

TEST(SetFile, WhatCannotBeASetIsRefused) {
  const std::string good =
      R"({"version":1,"now":["a","b"],"copies":2,"joining":"","nodes":{"a":"h:1","b":"h:2"},"master":"a","epoch":1})";
  WrittenSet out;
  ASSERT_EQ(parse_set(good, out), "");
  const auto with = [&](const char* part, const char* other) {
    std::string text = good;
    return text.replace(text.find(part), std::string_view(part).size(), other);
  };
  EXPECT_NE(parse_set("", out), "");
  EXPECT_NE(parse_set("7", out), "");
  EXPECT_EQ(parse_set(with(R"("version":1)", R"("version":0)"), out),
            "its version is not 1 to 4611686018427387904");
  EXPECT_NE(parse_set(with(R"("version":1)", R"("version":9223372036854775807)"), out), "");
  EXPECT_NE(parse_set(with(R"("version":1)", R"("version":"1")"), out), "");
  EXPECT_EQ(parse_set(with(R"(["a","b"])", R"(["a","a"])"), out), "it has node 'a' twice");
  EXPECT_EQ(parse_set(with(R"(["a","b"])", R"(["a"])"), out), "it has 1 nodes and wants 2 copies");
  EXPECT_EQ(parse_set(with(R"(["a","b"])", R"(["a",""])"), out), "'' is not the name of a node");
  EXPECT_EQ(parse_set(with(R"("copies":2)", R"("copies":0)"), out),
            "it has 2 nodes and wants 0 copies");
  EXPECT_NE(parse_set(with(R"("b":"h:2")", R"("c":"h:2")"), out), "") << "b lies nowhere";
  EXPECT_NE(parse_set(with("h:2", "h"), out).find("node 'b' "), std::string::npos);
  EXPECT_EQ(parse_set(with(R"("epoch":1)", R"("epoch":-1)"), out), "its epoch is not one");
  EXPECT_NE(parse_set(with(R"("joining":"")", R"("joining":"x y,")"), out), "");
}

}  // namespace
}  // namespace ha
