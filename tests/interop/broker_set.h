// SPDX-License-Identifier: Apache-2.0
// Three unmodified brokers that are a set (haPlugin.replicas), and what changes their roles.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/interop/host_broker.h"
#include "tests/system/command.h"
#include "tests/system/http.h"
#include "tests/system/tcp.h"

namespace ha::interop {

class BrokerSet : public HostBroker {
 protected:
  static constexpr int kNodes = 3;
  // So that what is cut spans several.
  static constexpr std::int64_t kSmallSegment = 64 << 10;

  void SetUp() override {
    HostBroker::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    driver().route_poll_ms = 2000;
    std::string replicas;
    for (int i = 0; i < kNodes; ++i) {
      listen_.push_back("127.0.0.1:" + std::to_string(free_ports(1)));
      door_.push_back("127.0.0.1:" + std::to_string(free_ports(1)));
      replicas += (i == 0 ? "" : ",") + ("b-" + std::to_string(i + 1)) + "@" + listen_[i];
    }
    const Properties more = also();
    for (int i = 0; i < kNodes; ++i) {
      BrokerOptions options = member(i, replicas);
      options.more.insert(options.more.end(), more.begin(), more.end());
      options.jvm = jvm();
      add_broker(options);
    }
  }
  // What each broker is configured with besides, and its JVM.
  virtual Properties also() { return {}; }
  virtual std::vector<std::string> jvm() { return {}; }

  BrokerOptions member(int i, const std::string& replicas) {
    const std::string name = "b" + std::to_string(i + 1);
    const auto store = folder_.path() / name / "store";
    write_topic_table(store, "T", 4);
    return {.name = name,
            .id = i + 1,
            .role = "SLAVE",
            .store = store,
            .plugin = true,
            .more = {{"slaveTimeout", "2000"},
                     {"mappedFileSizeCommitLog", std::to_string(kSmallSegment)},
                     {"transactionCheckInterval", "3000"},
                     {"transactionTimeOut", "1000"},
                     {"timerWheelEnable", "true"},  // pop needs it
                     {"haPlugin.replicas", replicas},
                     {"haPlugin.listen", listen_[i]},
                     {"haPlugin.control_listen", door_[i]}}};
  }

  Broker& broker(int i) { return *brokers_[static_cast<std::size_t>(i)]; }
  std::string url(int i) const { return "http://" + door_[static_cast<std::size_t>(i)]; }

  // A node that has just lost its master may still be counted as one that hears it.
  void promote(int i) { promote_one_of({i}); }
  // The one of the two that holds more is let.
  int promote_another(int than) {
    return promote_one_of({(than + 1) % kNodes, (than + 2) % kNodes});
  }
  int promote_one_of(const std::vector<int>& nodes) {
    int promoted = -1;
    std::string errors;
    system::wait_until(
        "a broker is master",
        [&] {
          errors.clear();
          for (const int i : nodes) {
            const system::Outcome outcome = system::stub({"promote", "--broker", url(i)});
            if (outcome.exit_code == 0) promoted = i;
            if (promoted >= 0) return true;
            errors += outcome.errors;
          }
          return false;
        },
        [&] { return errors; }, kJavaDeadline);
    return promoted;
  }
  Driver::Outcomes put(const std::string& prefix, int count, int from = 0, int threads = 2) {
    return driver().produce(
        name_server().address(),
        {.prefix = prefix, .from = from, .count = count, .max = 4096, .threads = threads});
  }
  // Producers find a new master when their route is renewed.
  void wait_for_puts() {
    system::wait_until(
        "puts are acknowledged",
        [&] {
          return put("first", 1, firsts_++) == Driver::Outcomes{{"SEND_OK", 1}};
        },
        {}, kJavaDeadline);
  }
  void expect_same(int one, int other) {
    HostBroker::expect_same(broker(one), broker(other), kSmallSegment);
  }
  // What the master's queues hold. Puts that failed may be among it.
  Manifest consume_all(int master, const std::string& topic = "T") {
    system::wait_until(
        "all is in the queues", [&] { return driver().undispatched(broker(master)) == 0; }, {},
        kJavaDeadline);
    return driver().consume(name_server().address(), topic,
                            driver().messages(broker(master), topic, 4));
  }
  static void expect_among(const Manifest& acknowledged, const Manifest& got) {
    EXPECT_TRUE(std::includes(got.begin(), got.end(), acknowledged.begin(), acknowledged.end()))
        << difference(acknowledged, got);
  }
  // All hold the master's log, and consumers get what was acknowledged, nothing twice.
  void expect_all_once(int master) {
    expect_same(master, (master + 1) % kNodes);
    expect_same(master, (master + 2) % kNodes);
    EXPECT_EQ(role((master + 1) % kNodes), "slave");
    const Manifest got = consume_all(master);
    expect_among(driver().produced(), got);
    const auto keys = driver().consume_keys(name_server().address(), "T", got.size());
    EXPECT_EQ(keys.size(), got.size()) << "a message is there twice";
  }
  Manifest produced_without(const std::string& prefix) {
    Manifest all = driver().produced();
    std::erase_if(all, [&](const auto& line) { return line.find(prefix) != std::string::npos; });
    return all;
  }
  json::value status(int i) {
    const auto door = system::parse_address(door_[static_cast<std::size_t>(i)]);
    return system::Http(door).get("/v1/status").document();
  }
  std::string role(int i) { return system::text_at(status(i), "role"); }
  std::int64_t bound(int i, const std::string& name) {
    return system::number_at(status(i), "bounds/" + name);
  }

  // A request with these first lines; the answer.
  std::string ask(int i, const std::string& head) {
    system::Tcp peer(system::parse_address(door_[static_cast<std::size_t>(i)]));
    peer.send(head + "Host: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return peer.receive();
  }

  std::vector<std::string> listen_;
  std::vector<std::string> door_;
  int firsts_ = 0;
};

}  // namespace ha::interop
