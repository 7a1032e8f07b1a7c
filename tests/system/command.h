// SPDX-License-Identifier: Apache-2.0
// The stub's command line as an operator uses it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/system/node.h"
#include "tests/system/process.h"

namespace ha::system {

// ha_stub ARGUMENTS...
Outcome stub(const std::vector<std::string>& arguments, const std::filesystem::path& input = {},
             int network = -1);

struct Produced {
  int exit_code = 0;
  std::int64_t sent = 0;
  std::int64_t acked = 0;
  std::int64_t failed = 0;
  std::string errors;  // standard error
};

// ha_stub produce of a file's lines.
Produced produce_file(const Node& node, const std::string& topic, const std::string& acks,
                      const std::filesystem::path& file, std::vector<std::string> more = {});

// ha_stub consume of all there is: bodies, a line each. Fails the test when the command fails.
std::string consume_all(const Node& node, const std::string& topic);

// ha_stub verify: what is wrong with the store, or "".
std::string verify(const std::filesystem::path& store);

// ha_stub promote and ha_stub follow; fail the test when the command fails.
void promote(const Node& node);
void follow(const Node& node, const Node& master);

}  // namespace ha::system
