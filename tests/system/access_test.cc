// SPDX-License-Identifier: Apache-2.0
// Tokens for the client API, as an operator uses them: files, flags, the environment, another
// machine.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/log_file.h"
#include "tests/system/network.h"
#include "tests/system/privilege.h"

namespace ha::system {
namespace {

const std::string kControl = "control-token-0123456789";
const std::string kClient = "client-token-0123456789";
const std::string kNext = "next-token-0123456789";

class AccessTest : public Cluster {
 protected:
  void SetUp() override { ::unsetenv("HA_STUB_TOKEN_FILE"); }
  void TearDown() override {
    ::unsetenv("HA_STUB_TOKEN_FILE");
    Cluster::TearDown();
  }

  std::string secret(const std::string& name, const std::string& text) {
    using std::filesystem::perms;
    const auto path = folder_ / name;
    std::ofstream(path) << text << "\n";
    std::filesystem::permissions(path, perms::owner_read | perms::owner_write);
    return path.string();
  }
  // Fails and says all of the words.
  static void expect_refused(const Outcome& outcome, const std::vector<std::string>& words) {
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.output, "");
    for (const auto& word : words) EXPECT_TRUE(has(outcome.errors, word)) << outcome.errors;
    for (const auto& token : {kControl, kClient, kNext}) {
      EXPECT_FALSE(has(outcome.errors, token)) << "a token was shown: " << outcome.errors;
    }
  }
  static void expect_done(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  }
};

TEST_F(AccessTest, CommandsSendTheTokenOfTheirFile) {
  const auto control = secret("control", kControl);
  const auto client = secret("client", kClient);
  Node& node = add(
      {.name = "node", .more = {"--control-token-file", control, "--client-token-file", client}});
  std::ofstream(folder_ / "lines") << "a\nb\n";
  const auto lines = (folder_ / "lines").string();
  const std::vector<std::vector<std::string>> control_commands = {
      {"demote", "--broker", node.url()},
      {"follow", "--broker", node.url(), "--master", "127.0.0.1:1"},
      {"promote", "--broker", node.url()},
      {"promote", "--force", "--broker", node.url()},
      {"set", "--broker", node.url(), "missing_copies=block"}};
  const std::vector<std::vector<std::string>> data_commands = {
      {"produce", "--broker", node.url(), "--topic", "T", lines},
      {"consume", "--broker", node.url(), "--topic", "T"}};
  const auto with = [](std::vector<std::string> command, const std::string& file) {
    command.insert(command.begin() + 1, {"--token-file", file});
    return command;
  };
  const auto wrong = secret("wrong", kNext);
  for (const auto& command : control_commands) {
    SCOPED_TRACE(command[0]);
    expect_refused(stub(command), {"refused: UNAUTHORIZED:", "needs a token", "--token-file FILE"});
    expect_refused(stub(with(command, client)),
                   {"refused: FORBIDDEN:", "token of the control file"});
    expect_refused(stub(with(command, wrong)), {"refused: FORBIDDEN:", "is not in its file"});
    expect_done(stub(with(command, control)));
  }
  for (const auto& command : data_commands) {
    SCOPED_TRACE(command[0]);
    const Outcome refused = stub(command);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_TRUE(has(refused.errors, "UNAUTHORIZED: ")) << refused.errors;
    expect_done(stub(with(command, client)));
    expect_done(stub(with(command, control)));
  }
  // Open for whoever watches the node.
  expect_done(stub({"status", "--broker", node.url()}));
  for (const auto* path : {"/v1/status", "/healthz", "/readyz", "/metrics"}) {
    EXPECT_EQ(node.http().get(path).status, 200) << path;
  }
  EXPECT_GT(number_at(node.status(), "http/refused/no_token"), 0);
  EXPECT_GT(number_at(node.status(), "http/refused/wrong_token"), 0);

  ::setenv("HA_STUB_TOKEN_FILE", control.c_str(), 1);
  for (const auto& command : control_commands) expect_done(stub(command));
  expect_refused(stub(with(control_commands[0], wrong)), {"FORBIDDEN"});  // a flag wins

  wait_for_log(folder_ / "node.log", "http: refused POST /v1/demote from 127.0.0.1:");
  const std::string log = text_of(folder_ / "node.log");
  const std::string arguments =
      text_of("/proc/" + std::to_string(node.process().pid()) + "/cmdline");
  EXPECT_TRUE(has(arguments, control));
  for (const auto& token : {kControl, kClient, kNext}) {
    EXPECT_FALSE(has(log, token)) << log;
    EXPECT_FALSE(has(arguments, token));
  }
}

TEST_F(AccessTest, ATokenIsReplacedWithoutARestart) {
  const auto file = secret("control", kControl);
  Node& node = add({.name = "node", .more = {"--control-token-file", file}});
  const auto demote_with = [&](const std::string& token) {
    return stub({"demote", "--broker", node.url(), "--token-file", secret("mine", token)});
  };
  expect_done(demote_with(kControl));
  secret("control", kControl + "\n" + kNext);
  expect_done(demote_with(kControl));
  expect_done(demote_with(kNext));
  secret("control", kNext);
  expect_refused(demote_with(kControl), {"FORBIDDEN"});
  secret("control", "");
  expect_done(demote_with(kNext));
  wait_for_log(folder_ / "node.log",
               "holds no token; write one a line; the tokens that it had before stay");
  const std::string log = text_of(folder_ / "node.log");
  EXPECT_FALSE(has(log, kNext)) << log;
}

TEST_F(AccessTest, ABadTokenFileEndsBothSidesInWords) {
  const auto serve = [&](const std::string& flag, const std::string& file) {
    return stub({"serve", "--role", "master", "--store", (folder_ / "refused").string(), "--http",
                 "127.0.0.1:0", "--ha-listen", "127.0.0.1:0", "--segment-size", "1048576", flag,
                 file});
  };
  const auto absent = (folder_ / "absent").string();
  const auto empty = secret("empty", "");
  const auto few = secret("short", "secret");
  const auto open = secret("open", kControl);
  std::filesystem::permissions(open, std::filesystem::perms(0644));
  for (const std::string flag : {"--control-token-file", "--client-token-file"}) {
    const std::string key = flag.substr(2) + ": ";
    expect_refused(serve(flag, absent), {key + "cannot read '" + absent, "No such file"});
    expect_refused(serve(flag, empty), {key + "'" + empty + "' holds no token"});
    expect_refused(serve(flag, few), {key + "'" + few, "line 1 is 6 bytes long"});
    expect_refused(serve(flag, open), {key + "'" + open, "mode 0644", "chmod 600"});
    expect_refused(serve(flag, folder_.path().string()), {key, "is a directory"});
    EXPECT_EQ(serve(flag, "").exit_code, 2);
  }
  Node& node = add({.name = "node"});
  for (const auto& [file, words] : {std::pair(absent, "No such file"),
                                    {empty, "holds no token"},
                                    {few, "at least 16"},
                                    {open, "chmod 600"}}) {
    expect_refused(stub({"promote", "--broker", node.url(), "--token-file", file}),
                   {"ha_stub: token-file: ", words});
  }
}

TEST_F(AccessTest, AnotherMachineNeedsAToken) {
  HA_NEED(why_no_networks(), "HA_REQUIRE_NETNS");
  const Network left;
  const Network right;
  const Cable cable(left, right);
  const auto file = secret("control", kControl);
  const auto promote_from = [](const Network& network, const std::string& url,
                               std::vector<std::string> more = {}) {
    std::vector<std::string> all = {"promote", "--broker", url};
    all.insert(all.end(), more.begin(), more.end());
    return stub(all, {}, network.descriptor());
  };
  {
    // Listens on all addresses of its machine.
    Node open({folder_.path()}, {.name = "open", .ip = "0.0.0.0", .network = left.descriptor()});
    const auto port = open.url().substr(open.url().rfind(':'));
    expect_done(promote_from(left, "http://127.0.0.1" + port));
    const auto refused = promote_from(right, "http://" + cable.left_ip() + port);
    expect_refused(refused, {"refused: FORBIDDEN: POST /v1/promote is answered only to clients on "
                             "this machine",
                             "this one is " + cable.right_ip() + ":", "--control-token-file FILE"});
    // Its own address is not loopback.
    expect_refused(promote_from(left, "http://" + cable.left_ip() + port), {"FORBIDDEN"});
    expect_done(
        stub({"status", "--broker", "http://" + cable.left_ip() + port}, {}, right.descriptor()));
    EXPECT_EQ(open.terminate(), 0);
  }
  Node guarded({folder_.path()}, {.name = "guarded",
                                  .ip = cable.left_ip(),
                                  .network = left.descriptor(),
                                  .more = {"--control-token-file", file}});
  expect_refused(promote_from(right, guarded.url()), {"UNAUTHORIZED"});
  expect_done(promote_from(right, guarded.url(), {"--token-file", file}));
  EXPECT_EQ(guarded.terminate(), 0);
}

}  // namespace
}  // namespace ha::system
