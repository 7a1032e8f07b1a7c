// SPDX-License-Identifier: Apache-2.0
// A configured set of nodes in one process, each with a plugin and a host of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"
#include "tests/unit/peer.h"
#include "tests/unit/state_dir.h"

namespace ha::testing {

inline constexpr std::int64_t kLongMs = 600'000;

// Nodes a, b, c... on ports that were free a moment ago.
class EpochSet : public ::testing::Test {
 protected:
  struct Node {
    explicit Node(std::string name) : id(std::move(name)) {}
    std::string id;
    std::int64_t port = 0;
    MemoryHost host;
    StateDir state;
    std::unique_ptr<Instance> plugin;
  };

  void make(std::size_t count) {
    std::vector<std::unique_ptr<Listener>> free;
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<Node>(std::string(1, static_cast<char>('a' + i))));
      free.push_back(std::make_unique<Listener>());
      nodes_[i]->port = free[i]->port();
      replicas_ += (i == 0 ? "" : ",") + nodes_[i]->id + "@" + address(*nodes_[i]);
    }
  }
  static std::string address(const Node& node) { return "127.0.0.1:" + std::to_string(node.port); }
  // What its nodes tell each other of it, with as many default copies as a majority.
  std::string set_text() const {
    std::vector<std::string> ids;
    for (const auto& node : nodes_) ids.push_back(node->id);
    return core::set_text(ids, static_cast<std::int64_t>(ids.size() / 2 + 1));
  }
  Node& a() { return *nodes_[0]; }
  Node& b() { return *nodes_[1]; }
  Node& c() { return *nodes_[2]; }

  void load(Node& node, const Options& more = {}) {
    Options options = native({{"listen", address(node)},
                              {"replica_id", node.id},
                              {"replicas", replicas_},
                              {"cluster_id", "prod"},
                              {"reconnect_max_ms", "200"},
                              {"state_dir", node.state.path()}});
    options.insert(options.end(), more.begin(), more.end());
    node.plugin = std::make_unique<Instance>(node.host, options);
  }
  // The report that answers this change: one of the start may still be on its way.
  RoleSeen ask_to_be_master(Node& node, std::uint32_t flags) {
    EXPECT_EQ(node.plugin->set_role(HA_ROLE_MASTER, "", flags, ++asked_), HA_OK);
    RoleSeen answer{};
    EXPECT_TRUE(Instance::eventually([&] {
      for (const RoleSeen& told : node.host.roles()) {
        if (told.number == asked_) answer = told;
      }
      return answer.number == asked_;
    }));
    return answer;
  }
  void start(Node& node, std::int32_t role, const Options& more = {}) {
    load(node, more);
    ASSERT_EQ(node.plugin->start(role), HA_OK) << node.plugin->error().text;
  }
  void start_and_hold(Node& node, std::int32_t role, const Options& more = {}) {
    start(node, role, more);
    ASSERT_TRUE(node.host.wait_for_role(role));
  }
  void follow(Node& node, const std::string& master, const Options& more = {}) {
    load(node, more);
    ASSERT_EQ(node.plugin->start(HA_ROLE_SLAVE, master), HA_OK) << node.plugin->error().text;
  }
  // a is master, the others follow it.
  void start_all(const Options& more = {}) {
    start(a(), HA_ROLE_MASTER, more);
    for (std::size_t i = 1; i < nodes_.size(); ++i) follow(*nodes_[i], address(a()), more);
    ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER));
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      ASSERT_TRUE(nodes_[i]->host.wait_for_log("master " + address(a()) + " answered"));
    }
  }
  void start_three(const Options& more = {}) {
    make(3);
    start_all(more);
  }
  std::int64_t promote(Node& node, std::uint32_t flags = 0) {
    const RoleSeen told = ask_to_be_master(node, flags);
    EXPECT_EQ(told.role, HA_ROLE_MASTER) << told.text;
    EXPECT_EQ(told.status, HA_OK) << told.text;
    return told.epoch;
  }
  static RoleSeen last_role(const Node& node) { return node.host.roles().back(); }
  // What the promotion of a node that may not become master is told.
  RoleSeen refused(Node& node, std::uint32_t flags = 0) { return ask_to_be_master(node, flags); }
  static bool is_master(const Node& node) {
    return node.plugin && node.plugin->snapshot().total.role == HA_ROLE_MASTER;
  }
  // Who is master of a higher epoch than that, and by holder() holds the key.
  template <class Holder>
  Node* master_above(std::int64_t epoch, Holder&& holder) {
    Node* found = nullptr;
    EXPECT_TRUE(Instance::eventually([&] {
      for (const auto& node : nodes_) {
        if (is_master(*node) && node->plugin->snapshot().total.epoch > epoch &&
            holder() == node->id) {
          found = node.get();
        }
      }
      return found != nullptr;
    }));
    return found;
  }
  static std::int64_t grow(Node& node, std::int64_t size) {
    const std::int64_t end = node.host.grow(size);
    node.plugin->notify(end);
    return end;
  }
  // Grows and waits until all nodes hold it.
  std::int64_t spread(Node& master, std::int64_t size) {
    const std::int64_t end = grow(master, size);
    for (const auto& node : nodes_) EXPECT_TRUE(node->host.wait_for_end(end)) << node->id;
    return end;
  }

  // A slave of the set, spoken for by the test, whose log ends there.
  static void join(NativeSlave& slave, const std::string& name, std::int64_t end) {
    ASSERT_TRUE(slave.open());
    core::Hello hello = hello_of(name, 0, end);
    hello.cluster = "prod";
    const auto answer = slave.say(hello);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->decision, core::Decision::kResume) << answer->text;
  }

  std::vector<std::unique_ptr<Node>> nodes_;
  std::string replicas_;
  std::int64_t asked_ = 0;  // changes of roles, over all nodes
};

}  // namespace ha::testing
