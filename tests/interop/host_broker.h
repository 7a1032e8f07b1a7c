// SPDX-License-Identifier: Apache-2.0
// A test with unmodified brokers that load the plugin as their HA service (hosts/rocketmq).
#pragma once

#include <cstdlib>

#include "tests/interop/interop.h"
#include "tests/system/deadline.h"
#include "tests/system/lines.h"

namespace ha::interop {

class HostBroker : public Interop {
 protected:
  void SetUp() override {
    Interop::SetUp();
    if (IsSkipped() || HasFatalFailure() || !plugin_jar().empty()) return;
    if (std::getenv("HA_REQUIRE_INTEROP") != nullptr) FAIL() << "no ha-rocketmq.jar";
    GTEST_SKIP() << "hosts/rocketmq/build.sh made no ha-rocketmq.jar";
  }
  // A put waits for one slave.
  static BrokerOptions sync_master(bool plugin) {
    return {.role = "SYNC_MASTER",
            .plugin = plugin,
            .more = {{"slaveTimeout", "2000"}, {"totalReplicas", "2"}, {"inSyncReplicas", "2"}}};
  }
  Broker& add_slave(const Broker& master, bool plugin, const Properties& more = {},
                    const std::vector<std::string>& jvm = {},
                    const std::vector<std::string>& environment = {}) {
    // A slave fetches its master's topics only ten seconds after it starts. With the table in its
    // store consumers can read at once.
    const auto store = folder_.path() / "b1/store";
    write_topic_table(store, "T", 4);
    BrokerOptions options{.name = "b1", .id = 1, .role = "SLAVE", .store = store, .plugin = plugin};
    // Java's own slave forgets an address that is configured, and has it from the name server.
    if (plugin) options.more = {{"haMasterAddress", master.ha()}};
    options.more.insert(options.more.end(), more.begin(), more.end());
    options.jvm = jvm;
    options.environment = environment;
    return add_broker(options);
  }
  Driver::Outcomes put(const std::string& prefix, int count, const std::string& topic = "T") {
    return driver().produce(
        name_server().address(),
        {.topic = topic, .prefix = prefix, .count = count, .max = 4096, .threads = 2});
  }
  static Driver::Outcomes stored(int count) { return {{"SEND_OK", count}}; }
  // The first acknowledged put: until a slave is there they end without one, or find no route.
  void wait_for_a_copy(const std::string& topic = "T") {
    system::wait_until(
        "a put has its copy", [&] { return put("first", 1, topic) == stored(1); }, {},
        kJavaDeadline);
  }
  // What -Xcheck:jni complained of.
  static std::string jni_faults(const std::string& text) {
    std::string found;
    for (const std::string& line : system::split_lines(text)) {
      if (line.find("in native method") != std::string::npos ||
          line.find("JNI local refs") != std::string::npos) {
        found += line + "\n";
      }
    }
    return found;
  }
  // Both hold the same bytes.
  void expect_same(const Broker& one, const Broker& other,
                   std::int64_t segment_bytes = kSegmentBytes) {
    system::wait_until(
        other.name() + " holds the log of " + one.name(),
        [&] { return driver().max_offset(other) == driver().max_offset(one); }, {}, kJavaDeadline);
    EXPECT_EQ(system::compare_logs(one.store(), other.store(), 0, driver().max_offset(one),
                                   segment_bytes),
              "");
  }
};

}  // namespace ha::interop
