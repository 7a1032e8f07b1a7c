// SPDX-License-Identifier: Apache-2.0
// ha_stub's command line: what it prints, how it ends, how it refuses.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/load.h"

namespace ha::system {
namespace {

class CommandLine : public Cluster {
 protected:
  // ha_stub serve that must not get ready: what it says.
  Outcome serve(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"serve", "--role", "master"};
    const std::pair<const char*, std::string> usual[] = {
        {"--store", (folder_ / "refused").string()},
        {"--http", "127.0.0.1:0"},
        {"--ha-listen", "127.0.0.1:0"},
        {"--segment-size", "1048576"}};
    for (const auto& [flag, value] : usual) {
      if (std::find(more.begin(), more.end(), flag) != more.end()) continue;
      arguments.insert(arguments.end(), {flag, value});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return stub(arguments);
  }
  void expect_refusal(const Outcome& outcome, const std::vector<std::string>& words) {
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_LT(outcome.exit_code, 126) << "it crashed";
    EXPECT_EQ(outcome.output, "") << "it said that it was ready";
    for (const std::string& word : words) {
      EXPECT_NE(outcome.errors.find(word), std::string::npos)
          << "'" << word << "' is not in: " << outcome.errors;
    }
  }
};

TEST_F(CommandLine, ReadyLineIsExactlyAsPromised) {
  Node& node = add({.name = "node", .metrics = true});
  const json::object& ready = node.ready().as_object();
  std::vector<std::string> members;
  for (const auto& member : ready) members.emplace_back(member.key());
  EXPECT_EQ(members, (std::vector<std::string>{"event", "pid", "role", "http", "ha", "metrics"}));
  EXPECT_EQ(text_at(node.ready(), "event"), "ready");
  EXPECT_EQ(number_at(node.ready(), "pid"), node.process().pid());
  EXPECT_EQ(text_at(node.ready(), "role"), "master");
  for (const char* port : {"http", "ha", "metrics"}) {
    const Address address = parse_address(text_at(node.ready(), port));
    EXPECT_EQ(address.host, "127.0.0.1") << port;
    EXPECT_GT(address.port, 0) << port;
  }
  EXPECT_EQ(node.terminate(), 0);
  EXPECT_EQ(node.process().read_line(), std::nullopt) << "there was a second line";
}

TEST_F(CommandLine, MetricsAreNullWhenNotServed) {
  Node& node = add({.name = "node"});
  EXPECT_TRUE(at(node.ready(), "metrics").is_null());
}

TEST_F(CommandLine, NodeWithoutARoleServesAfterItIsPromoted) {
  Node& node = add({.name = "node", .role = "none"});
  EXPECT_EQ(text_at(node.ready(), "role"), "none");
  EXPECT_NE(node.produce("T", "x", "1").status, 200);
  promote(node);
  EXPECT_EQ(node.produce("T", "x", "1").status, 200);
}

TEST_F(CommandLine, TerminatesCleanlyWithWaitsPending) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  const auto load = four_waits(master, slave);
  master.process().kill(SIGTERM);
  // The promise is 5 s; a process that needs a wait's own 60 s is what this is to find.
  EXPECT_EQ(master.process().wait(std::chrono::seconds(15)), 0);
  load->stop();
  EXPECT_GE(load->answers().count("SHUTDOWN"), 1u) << "the producers were not told";
  EXPECT_EQ(verify(master.store()), "");
  slave.resume();
  EXPECT_EQ(slave.terminate(), 0);
  EXPECT_EQ(verify(slave.store()), "");
}

TEST_F(CommandLine, LogWithConsensusOfItsOwnIsRefused) {
  expect_refusal(serve({"--consensus-log"}), {"consensus"});
}

TEST_F(CommandLine, MistakesAreNamed) {
  expect_refusal(serve({"--no-such-flag"}), {"--no-such-flag"});
  expect_refusal(serve({"--option", "hartbeat_ms=5000"}), {"hartbeat_ms", "heartbeat_ms"});
  expect_refusal(serve({"--option", "heartbeat_ms=5s"}), {"heartbeat_ms", "5s", "whole number"});
  expect_refusal(serve({"--option", "heartbeat_ms"}), {"heartbeat_ms"});
  expect_refusal(serve({"--segment-size", "many"}), {"segment-size", "many"});
  expect_refusal(serve({"--http", "nowhere"}), {"nowhere"});
  expect_refusal(serve({"--plugin", "/no/such/plugin.so"}), {"/no/such/plugin.so"});
  expect_refusal(stub({"serve", "--store", (folder_ / "refused").string()}), {"--role"});
  expect_refusal(stub({"serve", "--role", "master"}), {"--store"});
  expect_refusal(stub({"serve", "--role", "king", "--store", (folder_ / "refused").string()}),
                 {"king"});
  expect_refusal(stub({"frobnicate"}), {"frobnicate"});
}

TEST_F(CommandLine, PortsInUseAreNamed) {
  Node& node = add({.name = "node", .metrics = true});
  const auto taken = [&](const char* flag, const std::string& address) {
    expect_refusal(serve({flag, address}), {address});
  };
  taken("--ha-listen", node.ha());
  taken("--http", node.url().substr(7));
  taken("--metrics", text_at(node.ready(), "metrics"));
}

TEST_F(CommandLine, StoreOfARunningNodeIsNotOpenedTwice) {
  Node& node = add({.name = "node"});
  ASSERT_EQ(node.produce("T", "x", "1").status, 200);
  expect_refusal(serve({"--store", node.store().string()}), {node.store().string()});
  EXPECT_EQ(node.produce("T", "y", "1").status, 200);
}

TEST_F(CommandLine, CommandsToADeadBrokerFailAndNameTheAddress) {
  Node& node = add({.name = "node"});
  const std::string url = node.url();
  const std::string address = url.substr(7);
  node.kill();
  const auto file = write_file(folder_ / "lines", "a line\n");
  for (const std::vector<std::string>& command : {std::vector<std::string>{"status"},
                                                  {"consume", "--topic", "T"},
                                                  {"promote"},
                                                  {"set", "missing_copies=block"},
                                                  {"follow", "--master", "127.0.0.1:1"}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--broker", url});
    const Outcome outcome = stub(arguments);
    EXPECT_NE(outcome.exit_code, 0) << command[0];
    EXPECT_NE(outcome.errors.find(address), std::string::npos) << command[0] << outcome.errors;
  }
  const Outcome outcome = stub({"produce", "--broker", url, "--topic", "T", file.string()});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.errors.find(address), std::string::npos) << outcome.errors;
}

TEST_F(CommandLine, LinesComeBackAsTheyWere) {
  Node& node = add({.name = "node", .segment_size = 16 << 20});
  std::string lines = "first\n\n\nbytes \xff\xfe\x80 that are no UTF-8\n";
  lines += std::string("a zero \0 within", 15) + "\n" + std::string(1 << 20, 'x') + "\n\r\n";
  const auto file = write_file(folder_ / "lines", lines);
  const Produced produced = produce_file(node, "T", "async", file);
  EXPECT_EQ(produced.exit_code, 0) << produced.errors;
  EXPECT_EQ(produced.acked, 7);
  EXPECT_TRUE(consume_all(node, "T") == lines);
  // Standard input and a last line without an end.
  const auto rest = write_file(folder_ / "rest", "no newline at the end");
  EXPECT_EQ(stub({"produce", "--broker", node.url(), "--topic", "U", "-"}, rest).exit_code, 0);
  EXPECT_EQ(consume_all(node, "U"), "no newline at the end\n");
  // A part of it.
  const Outcome part =
      stub({"consume", "--broker", node.url(), "--topic", "T", "--from", "1", "--max", "3"});
  EXPECT_EQ(part.output, "\n\nbytes \xff\xfe\x80 that are no UTF-8\n");
}

TEST_F(CommandLine, LineOverFourMebibytesIsAnErrorThatNamesItsNumber) {
  Node& node = add({.name = "node", .segment_size = 16 << 20});
  const std::string lines = "fits\n" + std::string((4 << 20) + 1, 'x') + "\n";
  const Outcome outcome = stub({"produce", "--broker", node.url(), "--topic", "T",
                                write_file(folder_ / "lines", lines).string()});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.errors.find("line 2"), std::string::npos) << outcome.errors;
}

TEST_F(CommandLine, FollowingConsumerGetsWhatIsProducedLater) {
  Node& node = add({.name = "node"});
  ASSERT_EQ(node.produce("T", "before", "1").status, 200);
  Process consumer({program("ha_stub"), "consume", "--broker", node.url(), "--topic", "T",
                    "--follow", "--max", "2"});
  EXPECT_EQ(consumer.read_line(), "before");
  ASSERT_EQ(node.produce("T", "after", "1").status, 200);
  EXPECT_EQ(consumer.read_line(), "after");
  EXPECT_EQ(consumer.wait(), 0);
}

TEST_F(CommandLine, StatusIsTextForPeopleAndJsonForPrograms) {
  Node& master = add_master();
  add_slave(master, "slave");
  master.wait_for_replicas(1);
  const Outcome people = stub({"status", "--broker", master.url()});
  EXPECT_EQ(people.exit_code, 0);
  EXPECT_NE(people.output.find("master"), std::string::npos) << people.output;
  const Outcome programs = stub({"status", "--broker", master.url(), "--json"});
  EXPECT_EQ(text_at(parse_json(programs.output), "ha/role"), "master");
}

TEST_F(CommandLine, StatusSaysWhoIsAwayAndWhy) {
  Node& master = add_master({"min_in_sync_replicas=1", "in_sync_replicas=2"});
  Node& slave = add_slave(master, "slave", {"replica_id=b", "cluster_id=other"});
  slave.wait_for("was refused", [](const json::value& now) {
    return text_at(now, "ha/client/last_reason") == "cluster";
  });
  EXPECT_NE(stub({"status", "--broker", slave.url()}).output.find("last ended: cluster"),
            std::string::npos);
  Node& other = add_slave(master, "other");
  master.wait_for_replicas(1);
  other.kill();
  master.wait_for_replicas(0);
  const std::string text = stub({"status", "--broker", master.url()}).output;
  EXPECT_NE(text.find("gone"), std::string::npos) << text;
  // The kernel says goodbye for it, in either way.
  EXPECT_TRUE(text.find("ago: peer_closed") != std::string::npos ||
              text.find("ago: network") != std::string::npos)
      << text;
  const auto refused = master.produce("T", "x", "default");
  EXPECT_NE(refused.body.find("acks default: no slave is connected"), std::string::npos)
      << refused.body;
}

// What it prints is what the plugin takes, and the file is its owner's alone whatever the umask.
TEST_F(CommandLine, KeygenWritesAKeyThatASetCanUse) {
  const std::filesystem::path file = folder_ / "cluster.key";
  const std::string command = "umask 022; " + program("ha_stub") + " keygen > ";
  ASSERT_EQ(::system((command + file.string()).c_str()), 0);
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  Node& node = add({.name = "node",
                    .options = {"tls=require", "tls_psk_file=" + file.string(), "cluster_id=prod",
                                "replica_id=a"}});
  EXPECT_EQ(node.terminate(), 0);
}

TEST_F(CommandLine, VerifyNamesTheFirstFaultWithItsOffset) {
  Node& node = add({.name = "node"});
  ASSERT_EQ(node.produce("T", "whole", "1").status, 200);
  const std::int64_t second = node.log_end();
  ASSERT_EQ(node.produce("T", "spoilt", "1").status, 200);
  ASSERT_EQ(node.produce("T", "behind it", "1").status, 200);
  ASSERT_EQ(node.terminate(), 0);
  ASSERT_EQ(verify(node.store()), "");
  // One bit of the body of the record in the middle.
  const auto path = node.store() / "commitlog" / segments(node.store()).front();
  std::FILE* file = std::fopen(path.c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  std::string bytes(static_cast<std::size_t>(second) + 4096, '\0');
  ASSERT_GT(std::fread(bytes.data(), 1, bytes.size(), file), 0u);
  const std::size_t body = bytes.find("spoilt");
  ASSERT_NE(body, std::string::npos);
  std::fseek(file, static_cast<long>(body), SEEK_SET);
  std::fputc('S', file);
  std::fclose(file);
  const Outcome found = stub({"verify", "--store", node.store().string()});
  EXPECT_NE(found.exit_code, 0);
  EXPECT_NE((found.output + found.errors).find(std::to_string(second)), std::string::npos)
      << found.output << found.errors;
}

}  // namespace
}  // namespace ha::system
