// SPDX-License-Identifier: Apache-2.0
// A test with nodes: it owns them and their folder, and shows the ends of their logs when it fails.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/system/node.h"
#include "tests/system/temp_dir.h"

namespace ha::system {

class Cluster : public testing::Test {
 protected:
  void TearDown() override;

  Node& add(NodeOptions options);
  Node& add_master(std::vector<std::string> options = {}, const std::string& name = "master");
  Node& add_slave(const Node& master, const std::string& name,
                  std::vector<std::string> options = {});

  TempDir folder_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace ha::system
