// SPDX-License-Identifier: Apache-2.0
// The programs themselves, as a user types them: what they print, and their exit codes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "demo/node.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int code = -1;
  std::string output;  // standard output and standard error
};

Outcome shell(const std::string& command) {
  Outcome out;
  std::FILE* pipe = ::popen(("(" + command + ") 2>&1").c_str(), "r");
  std::array<char, 4096> bytes;
  while (const auto n = std::fread(bytes.data(), 1, bytes.size(), pipe)) {
    out.output.append(bytes.data(), n);
  }
  const int status = ::pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

class HaStub : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = testing::TempDir() + "ha_stub_test.XXXXXX";
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override {
    nodes_.clear();
    std::filesystem::remove_all(dir_);
  }
  demo::Node* serve(const std::string& role, std::vector<std::string> more = {}) {
    const auto name = "node" + std::to_string(nodes_.size());
    std::vector<std::string> arguments = {
        "serve",           "--role",         role,          "--store",
        dir_ + "/" + name, "--http",         "127.0.0.1:0", "--ha-listen",
        "127.0.0.1:0",     "--segment-size", "1M"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto node = demo::Node::start(HA_STUB_PATH, arguments, dir_ + "/" + name + ".log");
    if (const auto* error = std::get_if<Error>(&node)) {
      ADD_FAILURE() << error->text;
      return nullptr;
    }
    nodes_.push_back(std::get<std::unique_ptr<demo::Node>>(std::move(node)));
    return nodes_.back().get();
  }
  static std::string stub(const std::string& command) {
    return std::string(HA_STUB_PATH) + " " + command;
  }

  std::string dir_;
  std::vector<std::unique_ptr<demo::Node>> nodes_;
};

// One spelling for one number: 010 is not 8, and what is too large is not cut.
TEST_F(HaStub, NumbersAreWholeAndPlain) {
  for (const std::string option : {"consume --topic t --queue", "consume --topic t --from",
                                   "consume --topic t --max", "produce --topic t --window",
                                   "produce --topic t --timeout-ms", "produce --topic t --acks"}) {
    for (const std::string bad :
         {"''", "010", "0x1", "+1", "' 1'", "1.5", "99999999999999999999"}) {
      const auto outcome = shell(stub(option + " " + bad + " </dev/null"));
      EXPECT_EQ(outcome.code, 2) << option << bad;
      EXPECT_THAT(outcome.output, HasSubstr(option.substr(option.rfind("--")))) << bad;
    }
  }
}

TEST_F(HaStub, MistakesOnTheCommandLineAreCodeTwo) {
  EXPECT_EQ(shell(stub("")).code, 2);
  EXPECT_EQ(shell(stub("serve")).code, 2);
  EXPECT_EQ(shell(stub("serve --role master --store x --option nonsense")).code, 2);
  EXPECT_EQ(shell(stub("produce --topic t --acks none < /dev/null")).code, 2);
  EXPECT_EQ(shell(stub("status --watch --json")).code, 2);
  EXPECT_EQ(shell(stub("--version")).code, 0);
  EXPECT_EQ(shell(stub("consume --help")).code, 0);
}

TEST_F(HaStub, ProducesAndConsumesAnyBytes) {
  auto* node = serve("master");
  ASSERT_NE(node, nullptr);
  const auto produced = shell("printf 'a\\n\\n\\377\\000z\\nlast' | " +
                              stub("produce --topic t --broker " + node->url() + " -"));
  EXPECT_EQ(produced.code, 0) << produced.output;
  EXPECT_THAT(produced.output, HasSubstr("{\"sent\":4,\"acked\":4,\"failed\":0,"));
  const auto consumed = shell(stub("consume --topic t --broker " + node->url()));
  EXPECT_EQ(consumed.output, std::string("a\n\n\xFF\0z\nlast\n", 12));
  EXPECT_EQ(shell(stub("consume --topic t --from 1 --max 1 --broker " + node->url())).output, "\n");
  EXPECT_THAT(shell(stub("consume --topic t --json --queue 2 --broker " + node->url())).output,
              HasSubstr("\"body_base64\":\"/wB6\""));
}

TEST_F(HaStub, KeepsTheInputsOrder) {
  auto* node = serve("master");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(
      shell("seq 1 30000 | " + stub("produce --topic t --window 300 --broker " + node->url()) +
            " && " + stub("consume --topic t --broker " + node->url()) + " > " + dir_ +
            "/out && seq 1 30000 | cmp - " + dir_ + "/out")
          .code,
      0);
}

TEST_F(HaStub, ALineThatIsTooLongIsNamed) {
  auto* node = serve("master", {"--option", "in_sync_replicas=1"});
  ASSERT_NE(node, nullptr);
  const auto outcome = shell("(echo a; head -c 4194305 /dev/zero | tr '\\0' x; echo; echo b) | " +
                             stub("produce --topic t --broker " + node->url()));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("line 2 is longer than 4194304 bytes"));
  EXPECT_THAT(outcome.output, HasSubstr("{\"sent\":1,\"acked\":1,\"failed\":1,"));
}

TEST_F(HaStub, AProducerWhoseCopiesCannotBeMadeFails) {
  auto* node = serve("master");
  ASSERT_NE(node, nullptr);
  const auto outcome =
      shell("echo a | " + stub("produce --topic t --acks 2 --broker " + node->url()));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("SLAVE_NOT_AVAILABLE"));
}

TEST_F(HaStub, LinesThatFoundNoBrokerAreNotOpen) {
  const auto outcome = shell("seq 1 3 | " + stub("produce --topic t --broker http://127.0.0.1:1"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("cannot connect to 127.0.0.1:1"));
  EXPECT_THAT(outcome.output, testing::Not(HasSubstr("open")));
  EXPECT_THAT(outcome.output, HasSubstr("{\"sent\":0,\"acked\":0,\"failed\":3,"));
}

TEST_F(HaStub, StopsCleanlyAndVerifies) {
  auto* node = serve("master");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(shell("seq 1 1000 | " + stub("produce --topic t --broker " + node->url())).code, 0);
  node->stop();
  EXPECT_THAT(demo::last_line(dir_ + "/node0.log"), HasSubstr("stopped"));
  const auto verified = shell(stub("verify --store " + dir_ + "/node0"));
  EXPECT_EQ(verified.code, 0) << verified.output;
  EXPECT_THAT(verified.output, HasSubstr("topic      t: 1000"));
  EXPECT_EQ(shell(stub("verify --store " + dir_ + "/none")).code, 1);
}

TEST_F(HaStub, RolesChangeByCommand) {
  auto* first = serve("master");
  auto* second = serve("slave");
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_THAT(shell(stub("status --broker " + second->url())).output,
              HasSubstr("nobody (not connected)"));
  EXPECT_EQ(shell(stub("follow --broker " + second->url() + " --master " + first->ha())).code, 0);
  EXPECT_THAT(shell("echo a | " + stub("produce --topic t --broker " + second->url())).output,
              HasSubstr("NOT_MASTER"));
  const auto promoted =
      shell(stub("promote --broker " + second->url() + " --peers " + first->url()));
  EXPECT_EQ(promoted.code, 0) << promoted.output;
  EXPECT_THAT(shell(stub("status --json --broker " + second->url())).output,
              HasSubstr("\"role\":\"master\""));
}

TEST_F(HaStub, OptionsChangeByCommand) {
  auto* node = serve("master", {"--option", "in_sync_replicas=2"});
  ASSERT_NE(node, nullptr);
  const auto set = [&](const std::string& options) {
    return shell(stub("set --broker " + node->url() + " " + options));
  };
  const auto produce = [&] {
    return shell("echo a | " + stub("produce --topic t --timeout-ms 50 --broker " + node->url()))
        .output;
  };
  EXPECT_THAT(produce(), HasSubstr("SLAVE_NOT_AVAILABLE"));
  const auto changed = set("missing_copies=block allow=");
  EXPECT_EQ(changed.code, 0) << changed.output;
  EXPECT_EQ(changed.output, node->url() + " has missing_copies=block now, until it is restarted\n" +
                                node->url() + " has allow= now, until it is restarted\n");
  EXPECT_THAT(produce(), HasSubstr("FLUSH_SLAVE_TIMEOUT"));

  // What the plugin says reaches the operator; what came before it holds.
  const auto late = set("in_sync_replicas=1 listen=127.0.0.1:1 allow=10.0.0.0/8");
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.output, HasSubstr("option 'listen' (value '127.0.0.1:1') cannot change while "
                                     "running; give it to create (restart ha_stub serve with it)"));
  EXPECT_THAT(late.output, testing::Not(HasSubstr("allow")));
  EXPECT_THAT(produce(), HasSubstr("\"acked\":1,"));
  const auto unknown = set("mising_copies=block");
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.output,
              HasSubstr("INVALID: option 'mising_copies' (value 'block') is not known; "
                        "the nearest is 'missing_copies'"));
  EXPECT_THAT(set("nosuch=1").output, HasSubstr("option 'nosuch' (value '1') is not known; "
                                                "see the plugin's table of options"));
  const auto no_value = set("missing_copies=maybe");
  EXPECT_EQ(no_value.code, 1);
  EXPECT_THAT(no_value.output, testing::AllOf(HasSubstr("missing_copies"), HasSubstr("'maybe'"),
                                              HasSubstr("fail, block, degrade")));
  EXPECT_EQ(set("missing_copies").code, 2);
  EXPECT_EQ(set("").code, 2);
}

// The node flushes first what by default has to be durable, also when that became so later.
TEST_F(HaStub, TheDefaultDurabilityMayChangeToo) {
  auto* node = serve("master", {"--flush-interval-ms", "60000"});
  ASSERT_NE(node, nullptr);
  const auto produced = [&] {
    const auto outcome = shell("echo a | " + stub("produce --topic t --broker " + node->url()));
    EXPECT_EQ(outcome.code, 0) << outcome.output;
    const auto status = shell(stub("status --json --broker " + node->url())).output;
    const auto bounds = boost::json::parse(status).at("bounds");
    return bounds.at("end").as_int64() - bounds.at("durable").as_int64();
  };
  EXPECT_GT(produced(), 0);
  EXPECT_EQ(shell(stub("set --broker " + node->url() + " default_durability=durable")).code, 0);
  EXPECT_EQ(produced(), 0);
  EXPECT_EQ(shell(stub("set --broker " + node->url() + " default_durability=received")).code, 0);
  EXPECT_GT(produced(), 0);
}

TEST_F(HaStub, TheDemoLosesNothing) {
  std::ofstream(dir_ + "/lines") << "one\n\n\xFFthree\n";
  const auto outcome =
      shell("TMPDIR=" + dir_ + " " + HA_DEMO_PATH + " --json --min-lines 30000 " + dir_ + "/lines");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("{\"ok\":true,\"lines\":30000,"));
  EXPECT_THAT(outcome.output, HasSubstr("\"found\":30000,\"lost\":0,"));
  for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
    EXPECT_EQ(entry.path().filename().string().find("ha_demo."), std::string::npos);
  }
}

}  // namespace
}  // namespace stub::test
