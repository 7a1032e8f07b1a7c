// SPDX-License-Identifier: Apache-2.0
// Case 10: unmodified brokers that load the plugin as their HA service (hosts/rocketmq).

#include <filesystem>
#include <fstream>

#include "tests/interop/host_broker.h"

namespace ha::interop {
namespace {

using system::Node;

class Case10HostBroker : public HostBroker {};

TEST_P(Case10HostBroker, BothSides) {
  Broker& master = add_broker(sync_master(true));
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true);
  EXPECT_TRUE(master.java().has_logged("ha_plugin replicates the commit log"));
  wait_for_a_copy();
  ASSERT_EQ(put("together", 300), stored(300));
  expect_same(master, slave);

  const json::value status = driver().ha_status(master);
  EXPECT_EQ(system::at(status, "haConnectionInfo").as_array().size(), 1U);
  EXPECT_EQ(system::number_at(status, "inSyncSlaveNums"), 1);
  EXPECT_TRUE(system::text_at(status, "haConnectionInfo/0/addr").starts_with("127.0.0.1:"));

  slave.kill();
  EXPECT_EQ(put("alone", 1), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 1}}));
  slave.start();
  wait_for_a_copy();
  ASSERT_EQ(put("again", 100), stored(100));
  expect_same(master, slave);

  // Consumers go on at the slave.
  const Manifest all = driver().produced();
  master.kill();
  EXPECT_EQ(difference(all, driver().consume(name_server().address(), "T", all.size())), "");
}

// Nobody waits for these puts: that there is something new comes another way.
TEST_P(Case10HostBroker, AsynchronousCopiesAndAnOrderlyRestart) {
  Broker& master = add_broker({.role = "ASYNC_MASTER", .plugin = true});
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true);
  ASSERT_EQ(put("before", 200), stored(200));
  expect_same(master, slave);
  slave.stop();
  ASSERT_EQ(put("away", 50), stored(50));
  master.stop();
  slave.start();
  master.start();
  wait_for_a_copy();  // a broker may register only ten seconds after it is up
  ASSERT_EQ(put("after", 50), stored(50));
  expect_same(master, slave);
}

// A client sends such a message to another broker, so this one must not have it.
TEST_P(Case10HostBroker, WithTooFewInSyncCopiesNothingIsStored) {
  BrokerOptions options = sync_master(true);
  options.more.emplace_back("minInSyncReplicas", "2");
  options.more.emplace_back("haPlugin.missing_copies", "fail");
  Broker& master = add_broker(options);
  create_topic(master, "T", 4);
  const std::int64_t before = driver().max_offset(master);
  const Driver::Outcomes outcomes = put("alone", 1);
  EXPECT_EQ(outcomes.count("FLUSH_SLAVE_TIMEOUT") + outcomes.count("SEND_OK"), 0U);
  EXPECT_EQ(driver().max_offset(master), before);
}

// RocketMQ's own slaves fetch these from the master, once a minute. This one does not know where
// the master's clients connect.
TEST_P(Case10HostBroker, TopicsAndOffsetsComeWithTheLog) {
  constexpr int kQueryOffset = 14;
  constexpr int kUpdateOffset = 15;
  constexpr int kUpdateGroup = 200;
  constexpr int kTopicConfig = 351;
  Broker& master = add_broker(sync_master(true));
  Broker& slave =
      add_slave(master, true, {{"namesrvAddr", "127.0.0.1:" + std::to_string(free_ports(1))}});
  create_topic(master, "New", 3);
  const auto offset = [](const char* value) {
    Properties fields = {{"consumerGroup", "readers"}, {"topic", "New"}, {"queueId", "2"}};
    if (value[0] != '\0') fields.emplace_back("commitOffset", value);
    return fields;
  };
  ASSERT_EQ(driver().call(master.address(), kUpdateGroup, {}, R"({"groupName":"readers"})").code,
            0);
  ASSERT_EQ(driver().call(master.address(), kUpdateOffset, offset("7")).code, 0);
  system::wait_until(
      "the slave knows the topic and how far its readers are",
      [&] {
        return driver().call(slave.address(), kTopicConfig, {{"topic", "New"}}).code == 0 &&
               driver().call(slave.address(), kQueryOffset, offset("")).fields.find("7") !=
                   std::string::npos;
      },
      [&] { return driver().call(slave.address(), kQueryOffset, offset("")).fields; },
      kJavaDeadline);
}

TEST_P(Case10HostBroker, UnderTls) {
  const std::string key_file = (folder_.path() / "cluster.key").string();
  std::ofstream(key_file) << std::string(64, 'a') << '\n';
  std::filesystem::permissions(key_file, std::filesystem::perms::owner_read);
  const Properties tls = {{"haPlugin.tls", "require"}, {"haPlugin.tls_psk_file", key_file}};
  BrokerOptions options = sync_master(true);
  options.more.insert(options.more.end(), tls.begin(), tls.end());
  Broker& master = add_broker(options);
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true, tls);
  wait_for_a_copy();
  ASSERT_EQ(put("m", 300), stored(300));
  expect_same(master, slave);
}

TEST_P(Case10HostBroker, AJavaSlaveFollowsIt) {
  Broker& master = add_broker(sync_master(true));
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, false);
  wait_for_a_copy();
  ASSERT_EQ(put("m", 300), stored(300));
  expect_same(master, slave);
}

TEST_P(Case10HostBroker, ItFollowsAJavaMaster) {
  Broker& master = add_broker(sync_master(false));
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true);
  wait_for_a_copy();
  ASSERT_EQ(put("m", 300), stored(300));
  expect_same(master, slave);
}

TEST_P(Case10HostBroker, OurStubFollowsIt) {
  BrokerOptions options = sync_master(true);
  options.more.emplace_back("haPlugin.cluster_id", "");
  Broker& master = add_broker(options);
  create_topic(master, "T", 4);
  Node& slave = add_our_slave("slave", master);
  wait_for_a_copy();
  ASSERT_EQ(put("m", 300), stored(300));
  expect_copy(master, slave);
}

// A broker that would run without what its operator believes does not run.
TEST_P(Case10HostBroker, WhatItCannotDoIsRefusedInWords) {
  const struct {
    Properties more;
    const char* words;
  } rows[] = {
      {{{"transientStorePoolEnable", "true"}, {"flushDiskType", "ASYNC_FLUSH"}},
       "transientStorePoolEnable=true"},
      {{{"haPlugin.no_such_option", "1"}}, "no_such_option"},
      {{{"haPlugin.directory", "/nowhere"}}, "haPlugin.directory"},
      {{{"haPlugin.wire", "rocketmq-autoswitch"}}, "haPlugin.wire=rocketmq-autoswitch"},
      {{{"haPlugin.control_listen", "8081"}}, "'8081' is not ADDRESS:PORT"},
      {{{"haPlugin.replicas", "b-0@127.0.0.1:1,b-1@127.0.0.1:2"}}, "set brokerRole=SLAVE"},
  };
  int number = 0;
  for (const auto& row : rows) {
    BrokerOptions options = sync_master(true);
    options.name = "refused" + std::to_string(number++);
    options.more.insert(options.more.end(), row.more.begin(), row.more.end());
    try {
      add_broker(options);
      ADD_FAILURE() << row.words << ": it started";
    } catch (const system::Failure& failure) {
      EXPECT_NE(std::string(failure.what()).find(row.words), std::string::npos) << failure.what();
    }
  }
}

HA_INTEROP_SUITE_WITH(Case10HostBroker, testing::ValuesIn(kControllerVersions));

}  // namespace
}  // namespace ha::interop
