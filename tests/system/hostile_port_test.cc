// SPDX-License-Identifier: Apache-2.0
// Whatever else knocks on the HA port: scanners, lost browsers, garbage.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <random>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/load.h"
#include "tests/system/peer.h"
#include "tests/system/proc_fs.h"

namespace ha::system {
namespace {

using HostilePort = Cluster;

constexpr int kKnocks = 60;  // of each kind
constexpr std::string_view kTlsHello("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11);

// Whatever the master does with it, it must end the connection by itself.
void knock(const Address& address, std::string_view bytes) {
  Tcp peer(address);
  peer.try_send(bytes);
  peer.drain();
}

// Once nobody but the true slave is connected.
std::size_t settled_sockets(Node& node) {
  wait_until("the HA port is quiet", [&] { return metric(node.metrics(), "ha_connections") == 1; });
  return open_sockets(node.process().pid());
}

// The HTTP connections that ask are sockets too, and close a moment after their answers.
void expect_sockets(Node& node, std::size_t wanted) {
  wait_until(
      "no socket is leaked", [&] { return settled_sockets(node) <= wanted; },
      [&] {
        return std::to_string(settled_sockets(node)) + " instead of at most " +
               std::to_string(wanted);
      });
}

TEST_F(HostilePort, GarbageIsTurnedAwayByReasonWhileTheTrueSlaveGoesOn) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  ASSERT_EQ(master.produce("T", "before", "2").status, 200);
  const Address port = parse_address(master.ha());
  const std::string before = master.metrics();
  const std::size_t sockets = settled_sockets(master);

  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  {
    Load load(master, {.lines_per_request = 1});
    for (int i = 0; i < kKnocks; ++i) {
      { Tcp scan(port); }
      {
        Tcp one_byte(port);
        one_byte.try_send("x");
      }
      knock(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      knock(port, kTlsHello);
      knock(port, std::string(8, '\xff') + "no native hello.");
      std::string bytes(8 + random() % 4096, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      // The first eight bytes are the report: a number that is no place in this small log.
      bytes[0] = static_cast<char>(bytes[0] | 1);
      knock(port, bytes);
    }
    load.wait_for_more(50);
    load.stop();
    EXPECT_EQ(load.answers().size(), 1u) << "some producers were told something else than OK";
    slave.wait_for_end_of(master);
    EXPECT_EQ(missing_or_doubled(load.acknowledged(), consume_all(slave, "T")), "");
  }
  expect_sockets(master, sockets);
  const std::string after = master.metrics();
  const auto grew = [&](const std::string& series) {
    return metric(after, series) - metric(before, series);
  };
  EXPECT_GE(grew("ha_connections_rejected_total{reason=\"peer_closed\"}") +
                grew("ha_connections_rejected_total{reason=\"network\"}"),
            2 * kKnocks);
  EXPECT_EQ(grew("ha_connections_rejected_total{reason=\"request_above_end\"}"), 2 * kKnocks);
  EXPECT_EQ(grew("ha_connections_rejected_total{reason=\"protocol\"}"), kKnocks);
  EXPECT_EQ(grew("ha_connections_rejected_total{reason=\"tls\"}"), kKnocks);
  EXPECT_EQ(grew("ha_connections_accepted_total"), 6 * kKnocks);
  EXPECT_EQ(master.connected_replicas(), 1);
}

// A slave that the test speaks for, once it has read the message that the master has.
Peer full_slave(Node& master) {
  EXPECT_EQ(master.produce("T", "held", "1").status, 200);
  Peer peer(parse_address(master.ha()));
  peer.report(0);
  peer.read_until(master.log_end());
  return peer;
}

TEST_F(HostilePort, AReportOfBytesThatWereNeverSentWakesNoProducer) {
  Node& master = add_master();
  Peer liar = full_slave(master);
  // It counts now, and claims more than there is.
  liar.report(master.log_end() + 1);
  liar.connection().drain();
  const HttpResponse answer = master.produce("T", "nobody holds this", "2", "&timeout_ms=300");
  EXPECT_EQ(text_at(answer.document(), "status"), "SLAVE_NOT_AVAILABLE");
  EXPECT_EQ(metric(master.metrics(),
                   "ha_replica_closes_total{id=\"127.0.0.1#1\",reason=\"report_ahead\"}"),
            1);
}

TEST_F(HostilePort, ReportThatGoesBackEndsTheConnection) {
  Node& master = add_master();
  Peer peer = full_slave(master);
  peer.report(master.log_end());
  master.wait_for_replicas(1);
  peer.report(master.log_end() - 1);
  peer.connection().drain();
  EXPECT_EQ(metric(master.metrics(),
                   "ha_replica_closes_total{id=\"127.0.0.1#1\",reason=\"report_backward\"}"),
            1);
}

TEST_F(HostilePort, ThoseWhoNeverReportAreBoundedAndDropped) {
  constexpr int kMost = 20;
  Node& master = add_master({"max_connections=" + std::to_string(kMost),
                             "connections_per_address=0", "first_report_timeout_ms=10000"});
  add_slave(master, "slave");
  master.wait_for_replicas(1);
  const std::size_t sockets = settled_sockets(master);
  std::vector<std::unique_ptr<Tcp>> silent;
  for (int i = 0; i < 3 * kMost; ++i) {
    silent.push_back(std::make_unique<Tcp>(parse_address(master.ha())));
  }
  const auto rejected = [&](const char* reason) {
    return metric(master.metrics(),
                  std::string("ha_connections_rejected_total{reason=\"") + reason + "\"}");
  };
  wait_until("those above the limit are turned away",
             [&] { return rejected("connection_limit") == 2 * kMost + 1; });
  EXPECT_EQ(metric(master.metrics(), "ha_connections"), kMost);
  wait_until("those turned away cost nothing",
             [&] { return open_sockets(master.process().pid()) <= sockets + kMost - 1; });
  EXPECT_EQ(master.produce("T", "the true slave is still there", "2").status, 200);
  // The rest is dropped for its silence.
  wait_until("the silent ones are dropped",
             [&] { return rejected("first_report_timeout") == kMost - 1; });
  expect_sockets(master, sockets);
  EXPECT_EQ(master.produce("T", "still", "2").status, 200);
}

// Standard error is a pipe that is full and that nobody reads, from before the start.
TEST_F(HostilePort, AStalledLogHoldsNothingUp) {
  const std::string pipe = folder_ / "master.log";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Descriptor reader(::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(reader.get(), 0);
  const std::string bytes(4096, 'x');
  while (::write(reader.get(), bytes.data(), bytes.size()) > 0) {
  }
  Node& master = add_master({"max_connections=20"});
  // Should this test fail, its end must not wait for the pipe.
  std::filesystem::remove(pipe);
  write_file(pipe, "");

  const Address port = parse_address(master.ha());
  for (int i = 0; i < 320; ++i) knock(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  // Those of whom nothing is heard are dropped by their deadline as ever.
  {
    Tcp silent(port);
    silent.drain();
  }
  EXPECT_EQ(master.http().get("/readyz").status, 200);
  EXPECT_EQ(master.produce("T", "x", "1").status, 200);
  EXPECT_EQ(master.terminate(), 0);
}

TEST_F(HostilePort, StrangersFillNoLog) {
  Node& master = add_master();
  const Address port = parse_address(master.ha());
  for (int i = 0; i < 320; ++i) knock(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(master.terminate(), 0);
  const std::string log = master.log_text();
  std::size_t lines = 0;
  for (auto at = log.find("connection from "); at != std::string::npos;
       at = log.find("connection from ", at + 1)) {
    ++lines;
  }
  // 20 in 10 s, however many windows a slow machine needs.
  EXPECT_LT(lines, 320u) << log;
  EXPECT_NE(log.find(" more connections closed before they counted ("), std::string::npos) << log;
}

}  // namespace
}  // namespace ha::system
