// SPDX-License-Identifier: Apache-2.0
// Nodes of a set that prove to each other who they are, and strangers that try to be one.
#include <gmock/gmock.h>

#include "tests/unit/tls_set.h"

namespace ha::testing {
namespace {

using ::testing::HasSubstr;

::testing::AssertionResult all_is_encrypted(Instance& node) {
  const bool it_is =
      Instance::eventually([&] { return node.sample("ha_connections_plaintext") == 0; });
  return it_is ? ::testing::AssertionSuccess() : ::testing::AssertionFailure();
}

TEST_F(TlsSet, AKeyFileOnEachNodeIsAllThatASetNeeds) {
  make(3);
  start(a(), HA_ROLE_MASTER, with_keys(a(), "require"));
  for (Node* node : {&b(), &c()}) follow(*node, address(a()), with_keys(*node, "require"));
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER)) << last_role(a()).text;
  spread(a(), 100'000);
  EXPECT_TRUE(all_is_encrypted(*a().plugin));
  EXPECT_GE(a().plugin->sample(R"(ha_tls_handshakes_total{side="server",result="ok"})"), 2);

  // And through a change of master.
  promote(b());
  spread(b(), 1000);
  EXPECT_TRUE(all_is_encrypted(*b().plugin));
}

TEST_F(TlsSet, CertificatesToo) {
  make(2);
  start(a(), HA_ROLE_MASTER, with_certificate(a(), "URI:ha:prod/a", "require"));
  follow(b(), address(a()), with_certificate(b(), "DNS:b.prod", "require"));
  spread(a(), 5'000'000);
  EXPECT_TRUE(all_is_encrypted(*a().plugin));
}

// Rows: what the slave is set to. Columns: the master.
class TlsModes : public TlsSet, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Wires, TlsModes, ::testing::Values("native", "auto", "rocketmq"));

TEST_P(TlsModes, EachModeMeetsEachOther) {
  const std::vector<std::string> modes = {"off", "accept", "prefer", "require"};
  const auto meets = [](const std::string& slave, const std::string& master) {
    if (slave == "require") return master != "off";
    if (master == "require") return slave == "prefer";
    return true;
  };
  const auto encrypted = [](const std::string& slave, const std::string& master) {
    return (slave == "prefer" || slave == "require") && master != "off";
  };
  make(2);
  for (const std::string& slave : modes) {
    for (const std::string& master : modes) {
      SCOPED_TRACE(slave + " follows " + master);
      MemoryHost master_host;
      MemoryHost slave_host;
      Instance one(master_host, without_set("a", with_keys(a(), master)));
      one.start_master();
      Options follower = without_set("b", with_keys(b(), slave));
      follower.emplace_back("wire", GetParam());
      Instance two(slave_host, follower);
      two.start_slave(address_of(one));
      if (!meets(slave, master)) {
        EXPECT_TRUE(slave_host.wait_for_log("link to master"));
        EXPECT_TRUE(slave != "require" || slave_host.wait_for_log("does not speak TLS"));
        EXPECT_NE(two.snapshot().total.client_state, HA_STATE_TRANSFER);
        continue;
      }
      ASSERT_TRUE(Instance::eventually(
          [&] { return two.snapshot().total.client_state == HA_STATE_TRANSFER; }));
      one.notify(master_host.grow(10'000));
      ASSERT_TRUE(slave_host.wait_for_end(10'000));
      EXPECT_TRUE(Instance::eventually([&] {
        return one.sample("ha_connections_plaintext") == (encrypted(slave, master) ? 0 : 1);
      }));
    }
  }
}

TEST_F(TlsSet, AStrangerWithoutAKeyGetsNothing) {
  make(2);
  start_and_hold(a(), HA_ROLE_NONE, with_keys(a(), "require"));
  for (const std::byte byte : {std::byte{0xFF}, std::byte{0}}) {
    Peer stranger = Peer::to(a().port);
    ASSERT_TRUE(stranger.send(std::vector<std::byte>(8, byte)));
    std::byte answer{};
    EXPECT_FALSE(stranger.read(&answer, 1));
  }
  EXPECT_TRUE(a().host.wait_for_log("speaks without TLS", 2));
}

// What one node is told by another depends on the name that it says: it must be the proved one.
TEST_F(TlsSet, AMemberCannotBeAnother) {
  make(2);
  MemoryHost master_host;
  MemoryHost slave_host;
  Instance master(master_host, without_set("a", with_certificate(a(), "URI:ha:prod/a", "require")));
  master.start_master();
  // Its certificate has two names, so it starts under either, and may use both.
  Options both = with_certificate(b(), "URI:ha:prod/b,URI:ha:prod/c", "require");
  {
    Instance slave(slave_host, without_set("c", both));
    slave.start_slave(address_of(master));
    EXPECT_TRUE(slave_host.wait_for_log("answered"));
  }
  // c's file, at a node that is set up as b: it does not even start.
  Instance other(slave_host, without_set("b", with_certificate(b(), "URI:ha:prod/c", "require")));
  EXPECT_EQ(other.start(HA_ROLE_NONE), HA_INVALID);
  EXPECT_THAT(other.error().text, HasSubstr("ha:prod/b"));
}

TEST_F(TlsSet, KeysAreReadAgainWithoutARestart) {
  make(2);
  start(a(), HA_ROLE_MASTER, with_keys(a(), "require"));
  follow(b(), address(a()), with_keys(b(), "require"));
  ASSERT_TRUE(follows(b()));
  const auto write_keys = [](Node& node, const std::string& keys) {
    write_file(node.state.path(), "cluster.key", keys);
    return node.plugin->set_option("tls_reload", "now");
  };
  const std::string one = kKey1;
  const std::string two = kKey2;
  for (Node* node : {&a(), &b()}) EXPECT_EQ(write_keys(*node, one + two), HA_OK);
  for (Node* node : {&a(), &b()}) EXPECT_EQ(write_keys(*node, two + one), HA_OK);
  spread(a(), 1000);
  // What was made with the key that is gone ends, and is made again with the other one.
  for (Node* node : {&b(), &a()}) EXPECT_EQ(write_keys(*node, two), HA_OK);
  EXPECT_TRUE(Instance::eventually([&] {
    const std::string words = "was removed from the file";
    return a().host.count_logs(words) + b().host.count_logs(words) > 0;
  }));
  spread(a(), 1000);

  EXPECT_EQ(write_keys(a(), "hunter2"), HA_INVALID);
  EXPECT_THAT(a().plugin->error().text, HasSubstr("line 1"));
  spread(a(), 1000);
  EXPECT_EQ(a().plugin->sample(R"(ha_tls_reloads_total{result="failed"})"), 1);
}

TEST_F(TlsSet, ARevokedNodeIsThrownOut) {
  make(2);
  Options of_a = with_certificate(a(), "URI:ha:prod/a", "require");  // serial number 2
  of_a.emplace_back("tls_crl", write_file(a().state.path(), "ca.crl", ca_.revocations({}), 0644));
  start(a(), HA_ROLE_MASTER, of_a);
  follow(b(), address(a()), with_certificate(b(), "URI:ha:prod/b", "require"));  // 3
  ASSERT_TRUE(follows(b()));
  write_file(a().state.path(), "ca.crl", ca_.revocations({3}), 0644);
  ASSERT_EQ(a().plugin->set_option("tls_reload", "now"), HA_OK);
  EXPECT_TRUE(a().host.wait_for_log("no longer good: certificate revoked"));
  EXPECT_TRUE(b().host.wait_for_log("alert certificate revoked"));
}

TEST_F(TlsSet, ANodeThatProvedItselfMayNotComeInTheClearAgain) {
  make(2);
  MemoryHost slave_host;
  MemoryHost master_host;
  Instance master(master_host, without_set("a", with_keys(a(), "accept")));
  master.start_master();
  Instance slave(slave_host, without_set("b", with_keys(b(), "require")));
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host.wait_for_log("answered"));
  ASSERT_EQ(slave.set_option("tls", "off"), HA_OK);
  EXPECT_TRUE(slave_host.wait_for_log("has proved itself by TLS"));
}

TEST_F(TlsSet, TheStatusSaysHowEachReplicaIsConnected) {
  make(2);
  start(a(), HA_ROLE_MASTER, with_certificate(a(), "URI:ha:prod/a", "accept"));
  follow(b(), address(a()), with_keys(b(), "off"));
  EXPECT_TRUE(follows(b()));
  EXPECT_TRUE(
      Instance::eventually([&] { return a().plugin->sample("ha_connections_plaintext") == 1; }));
  const boost::json::value status = a().plugin->status();
  EXPECT_FALSE(status.at_pointer("/replicas/0/encrypted").as_bool());
  EXPECT_EQ(status.at_pointer("/tls/mode").as_string(), "accept");
  EXPECT_EQ(status.at_pointer("/tls/plaintext_connections").as_int64(), 1);
  EXPECT_GT(status.at_pointer("/tls/certificate_ends_s").as_int64(), std::time(nullptr));
  EXPECT_TRUE(a().host.wait_for_log("the certificate of option 'tls_cert' ends on 20"));
}

TEST_F(TlsSet, TheModeChangesWhileMessagesFlow) {
  make(2);
  start(a(), HA_ROLE_MASTER, with_keys(a(), "off"));
  follow(b(), address(a()), with_keys(b(), "off"));
  for (const char* mode : {"accept", "prefer", "require"}) {
    for (Node* node : {&a(), &b()}) {
      ASSERT_EQ(node->plugin->set_option("tls", mode), HA_OK) << node->plugin->error().text;
      spread(a(), 1000);
    }
  }
  EXPECT_TRUE(all_is_encrypted(*a().plugin));
}

// ---- what a start refuses --------------------------------------------------------------------

TEST_F(TlsSet, ASetThatAnybodyCanReachDoesNotStartWithoutAWord) {
  make(2);
  const std::string everywhere = "0.0.0.0:" + std::to_string(a().port);
  load(a(), {{"listen", everywhere}});
  EXPECT_EQ(a().plugin->start(HA_ROLE_NONE), HA_INVALID);
  EXPECT_THAT(a().plugin->error().text, HasSubstr("ha_stub keygen"));
  EXPECT_THAT(a().plugin->error().text, HasSubstr("'tls' ('off')"));
  load(a(), {{"listen", everywhere}, {"tls", "off"}});
  EXPECT_EQ(a().plugin->start(HA_ROLE_NONE), HA_OK) << a().plugin->error().text;
  EXPECT_TRUE(a().host.wait_for_log("everybody who reaches the port"));
  EXPECT_EQ(a().plugin->sample("ha_open_to_all"), 1);
  Options closed = with_keys(b(), "require");
  closed.emplace_back("listen", "0.0.0.0:" + std::to_string(b().port));
  load(b(), closed);
  EXPECT_EQ(b().plugin->start(HA_ROLE_NONE), HA_OK) << b().plugin->error().text;
  EXPECT_EQ(b().plugin->sample("ha_open_to_all"), 0);
}

}  // namespace
}  // namespace ha::testing
