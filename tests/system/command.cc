// SPDX-License-Identifier: Apache-2.0
#include "tests/system/command.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/system/json.h"

namespace ha::system {

Outcome stub(const std::vector<std::string>& arguments, const std::filesystem::path& input,
             int network) {
  std::vector<std::string> all = {program("ha_stub")};
  all.insert(all.end(), arguments.begin(), arguments.end());
  ProcessOptions how;
  how.input_file = input;
  how.network = network;
  return run(all, how);
}

Produced produce_file(const Node& node, const std::string& topic, const std::string& acks,
                      const std::filesystem::path& file, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"produce", "--broker", node.url(), "--topic",
                                        topic,     "--acks",   acks};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back(file.string());
  Outcome outcome = stub(arguments);
  Produced produced;
  produced.exit_code = outcome.exit_code;
  produced.errors = std::move(outcome.errors);
  if (outcome.output.empty()) {
    ADD_FAILURE() << "produce printed no summary; it said: " << produced.errors;
    return produced;
  }
  const json::value summary = parse_json(outcome.output);
  produced.sent = number_at(summary, "sent");
  produced.acked = number_at(summary, "acked");
  produced.failed = number_at(summary, "failed");
  return produced;
}

std::string consume_all(const Node& node, const std::string& topic) {
  Outcome outcome = stub({"consume", "--broker", node.url(), "--topic", topic});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  return std::move(outcome.output);
}

std::string verify(const std::filesystem::path& store) {
  const Outcome outcome = stub({"verify", "--store", store.string()});
  return outcome.exit_code == 0 ? "" : outcome.output + outcome.errors;
}

void promote(const Node& node) {
  const Outcome outcome = stub({"promote", "--broker", node.url()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
}

void follow(const Node& node, const Node& master) {
  const Outcome outcome = stub({"follow", "--broker", node.url(), "--master", master.ha()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
}

}  // namespace ha::system
