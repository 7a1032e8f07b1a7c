// SPDX-License-Identifier: Apache-2.0
#include "tests/system/cluster.h"

#include <iostream>
#include <utility>

namespace ha::system {

void Cluster::TearDown() {
  if (!HasFailure()) return;
  for (const auto& node : nodes_) {
    std::cerr << "--- the log of " << node->name() << " ends:\n" << node->log_text() << "\n";
  }
}

Node& Cluster::add(NodeOptions options) {
  nodes_.push_back(std::make_unique<Node>(folder_.path(), std::move(options)));
  return *nodes_.back();
}

Node& Cluster::add_master(std::vector<std::string> options, const std::string& name) {
  return add({.name = name, .role = "master", .options = std::move(options)});
}

Node& Cluster::add_slave(const Node& master, const std::string& name,
                         std::vector<std::string> options) {
  return add({.name = name,
              .role = "slave",
              .master = master.ha(),
              .segment_size = master.segment_size(),
              .options = std::move(options)});
}

}  // namespace ha::system
