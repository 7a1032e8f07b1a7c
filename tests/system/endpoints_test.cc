// SPDX-License-Identifier: Apache-2.0
// What a monitoring system asks of a running node.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"

namespace ha::system {
namespace {

using Endpoints = Cluster;

TEST_F(Endpoints, HealthAndReadinessFollowTheState) {
  Node& master = add_master();
  Node& slave = add_slave(master, "slave");
  master.wait_for_replicas(1);
  for (const Node* node : {&master, &slave}) {
    EXPECT_EQ(node->http().get("/healthz").status, 200) << node->name();
    wait_until(node->name() + " is ready",
               [&] { return node->http().get("/readyz").status == 200; });
  }
  Node& idle = add({.name = "idle", .role = "none"});
  Node& misfit = add({.name = "misfit",
                      .role = "slave",
                      .master = master.ha(),
                      .segment_size = 2 * master.segment_size()});
  // It finds out as soon as the master's log goes beyond a segment.
  const auto file = write_file(folder_ / "lines", numbered_lines("l", 4000, 400));
  ASSERT_EQ(produce_file(master, "T", "1", file).exit_code, 0);
  for (const Node* node : {&idle, &misfit}) {
    HttpResponse answer;
    wait_until(node->name() + " is not ready", [&] {
      answer = node->http().get("/readyz");
      return answer.status == 503;
    });
    EXPECT_NE(text_at(answer.document(), "error/message"), "") << node->name();
    EXPECT_EQ(node->http().get("/healthz").status, 200) << node->name() << " lives";
  }
}

// What /readyz says once it says no.
std::string why_not_ready(const Node& node) {
  HttpResponse answer;
  wait_until(node.name() + " is not ready", [&] {
    answer = node.http().get("/readyz");
    return answer.status == 503;
  });
  return text_at(answer.document(), "error/message");
}

HttpResponse follow(const Node& node, const std::string& master) {
  return node.http().post("/v1/follow", "{\"master\":\"" + master + "\"}", "application/json");
}

TEST_F(Endpoints, ASlaveWhoseMasterIsGoneIsNotReadyAfterAWhile) {
  Node& master = add_master();
  Node& slave = add({.name = "slave",
                     .role = "slave",
                     .master = master.ha(),
                     .more = {"--not-ready-after-ms", "100"}});
  master.wait_for_replicas(1);
  wait_until("the slave is ready", [&] { return slave.http().get("/readyz").status == 200; });
  master.kill();
  const std::string why = why_not_ready(slave);
  EXPECT_NE(why.find("has not followed " + master.ha()), std::string::npos) << why;
  EXPECT_NE(why.find("network: "), std::string::npos) << why;
  master.start();
  wait_until("the slave is ready again", [&] { return slave.http().get("/readyz").status == 200; });
}

TEST_F(Endpoints, ASlaveThatFollowsItselfSaysSo) {
  for (const std::string wire : {"auto", "rocketmq"}) {
    Node& slave = add({.name = "slave-" + wire, .role = "slave", .options = {"wire=" + wire}});
    ASSERT_EQ(follow(slave, slave.ha()).status, 200);
    const std::string why = why_not_ready(slave);
    EXPECT_NE(why.find("loop: this node listens there itself"), std::string::npos) << why;
  }
}

TEST_F(Endpoints, SlavesInACircleAreNotReady) {
  Node& a = add({.name = "a", .role = "slave"});
  Node& b = add({.name = "b", .role = "slave", .master = a.ha()});
  a.wait_for_replicas(1);
  ASSERT_EQ(follow(a, b.ha()).status, 200);
  std::string why;
  wait_until("one of them is not ready", [&] {
    for (const Node* node : {&a, &b}) {
      const HttpResponse answer = node->http().get("/readyz");
      if (answer.status == 503) why = text_at(answer.document(), "error/message");
    }
    return why.find("circle") != std::string::npos;
  });
}

TEST_F(Endpoints, MetricsOfAPairTellTheSameStory) {
  Node& master = add({.name = "master", .metrics = true});
  Node& slave = add({.name = "slave", .role = "slave", .master = master.ha(), .metrics = true});
  master.wait_for_replicas(1);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(master.produce("T", "x", "2").status, 200);
  const std::string of_master = master.metrics_http().get("/metrics").body;
  const std::string of_slave = slave.metrics_http().get("/metrics").body;
  EXPECT_EQ(metric(of_master, "ha_role{role=\"master\"}"), 1);
  EXPECT_EQ(metric(of_slave, "ha_role{role=\"slave\"}"), 1);
  EXPECT_EQ(metric(of_master, "ha_wait_results_total{status=\"ok\"}"), 10) << of_master;
  EXPECT_EQ(metric(of_master, "ha_replica_acked_offset_bytes{id=\"127.0.0.1#1\"}"),
            static_cast<double>(master.log_end()));
  EXPECT_EQ(metric(of_slave, "ha_client_appended_bytes_total"),
            static_cast<double>(master.log_end()));
  EXPECT_EQ(metric(of_master, "ha_replica_sent_bytes_total{id=\"127.0.0.1#1\"}"),
            static_cast<double>(master.log_end()));
  // The broker's own port shows the same families.
  EXPECT_EQ(metric(master.metrics(), "ha_role{role=\"master\"}"), 1);
}

TEST_F(Endpoints, PromtoolFindsNoFaultInTheMetricsOfARunningPair) {
  const char* promtool = std::getenv("HA_PROMTOOL");
  if (promtool == nullptr || *promtool == '\0') {
    GTEST_SKIP() << "HA_PROMTOOL is not set (to what tests/metrics/get_promtool.sh prints)";
  }
  Node& master = add({.name = "master", .metrics = true});
  Node& slave = add({.name = "slave", .role = "slave", .master = master.ha(), .metrics = true});
  master.wait_for_replicas(1);
  ASSERT_EQ(master.produce("T", "x", "2").status, 200);
  for (const Node* node : {&master, &slave}) {
    const HttpResponse scraped = node->metrics_http().get("/metrics");
    ASSERT_EQ(scraped.status, 200);
    const auto file = write_file(folder_ / (node->name() + ".metrics"), scraped.body);
    ProcessOptions how;
    how.input_file = file;
    const Outcome outcome = run({promtool, "check", "metrics"}, how);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output << outcome.errors;
    EXPECT_EQ(outcome.output + outcome.errors, "");
  }
}

}  // namespace
}  // namespace ha::system
