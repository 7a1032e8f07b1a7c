// SPDX-License-Identifier: Apache-2.0
// A test against one version of real RocketMQ: its name server, its driver, brokers and our nodes.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/interop/rocketmq.h"
#include "tests/interop/versions.h"
#include "tests/system/cluster.h"

namespace ha::interop {

// The parameter is the version. Skipped when its artifacts are not there; with HA_REQUIRE_INTEROP
// that is a failure.
class Interop : public system::Cluster, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::string version() const { return GetParam(); }
  bool v5() const { return is_v5(version()); }
  // Both start with the first call; one with properties of its own must come before that.
  void start_name_server(Properties more);
  NameServer& name_server();
  Driver& driver();

  Broker& add_broker(BrokerOptions options) { return add_broker(version(), std::move(options)); }
  Broker& add_broker(const std::string& version, BrokerOptions options);
  // A slave of ours, with the timers that fit Broker's.
  system::Node& add_our_slave(const std::string& name, const Broker& master,
                              std::vector<std::string> options = {});
  // It takes a second until a slave has found out that its master is a real broker.
  static void wait_until_connected(const system::Node& slave);
  system::Node& add_our_master(const std::string& name, std::vector<std::string> options = {});

  // Makes a topic and waits until the name server knows where it is.
  void create_topic(const Broker& broker, const std::string& topic, int queues);
  // Produces and expects SEND_OK for every message.
  void produce(Driver::Produce what);

  // One small message; what its producer is told.
  void produce_expecting(const std::string& outcome);
  // Waits until a real slave holds our master's log, and compares the bytes it holds.
  void expect_copy(const system::Node& master, const Broker& slave);
  // The same for a slave of ours and a real master.
  void expect_copy(const Broker& master, const system::Node& slave);
  // Tells the name server of our master what a real one would tell it: that it is broker "b" with
  // id 0, where its HA port is and which topics it has. Until the driver's release. ha: another
  // address of that port.
  void register_our_master(const system::Node& master, const std::string& topic, int queues,
                           const std::string& ha = "");
  // Appends messages with keys, mostly small, to all queues; each waits for in_sync_replicas.
  void produce_to(const system::Node& master, const std::string& topic, int count);

  std::vector<std::unique_ptr<Broker>> brokers_;

 private:
  std::unique_ptr<NameServer> name_server_;
  std::unique_ptr<Driver> driver_;
  int singles_ = 0;
};

// The topic table that a real slave fetches from a real master, and an operator copies otherwise.
void write_topic_table(const std::filesystem::path& store, const std::string& topic, int queues);

// Copies the segment files that are full, as an operator would before a slave's first start.
void copy_full_segments(const std::filesystem::path& from_store,
                        const std::filesystem::path& to_store, std::int64_t end);

// What our stub's consumers read of a topic, in the form of the driver's manifests.
Manifest read_from(const system::Node& node, const std::string& topic, int queues);
Manifest read_queue(const system::Node& node, const std::string& topic, int queue);

// "" when they are the same, else how many lines differ and the first of them.
std::string difference(const Manifest& wanted, const Manifest& got);

// "v4_9_7", for names of tests.
std::string version_name(const testing::TestParamInfo<const char*>& info);

// Registers a test suite with every version, or with those named.
#define HA_INTEROP_SUITE(suite) HA_INTEROP_SUITE_WITH(suite, testing::ValuesIn(kVersions))
#define HA_INTEROP_SUITE_WITH(suite, versions) \
  INSTANTIATE_TEST_SUITE_P(RocketMQ, suite, versions, ha::interop::version_name)

}  // namespace ha::interop
