// SPDX-License-Identifier: Apache-2.0
// Etcd against the program etcd, if this machine has it: one member on loopback, gone with the
// test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ha_plugin/coordinator/etcd.h"
#include "tests/unit/authority.h"
#include "tests/unit/etcd_process.h"
#include "tests/unit/state_dir.h"

namespace ha {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// A machine that tests keep busy gives etcd a thousandth of what it needs now and then.
constexpr milliseconds kLimit{10'000};
constexpr auto kPatience = std::chrono::seconds(60);

class EtcdRealTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::EtcdProcess::program().empty())
      GTEST_SKIP() << "there is no program 'etcd' in PATH";
  }
  void TearDown() override {
    if (HasFailure()) ADD_FAILURE() << "etcd's last words: " << etcd_.log();
  }

  void start(const std::vector<std::string>& more = {}, bool https = false) {
    https_ = https;
    const auto answers = [this] {
      CoordinatorKeys keys;
      return connect("start")->read(keys).yes();
    };
    ASSERT_TRUE(etcd_.start(answers, more, https)) << "etcd does not start: " << etcd_.log();
  }

  EtcdOptions options(const std::string& id) const {
    EtcdOptions made;
    made.endpoints = {{"127.0.0.1", etcd_.port()}};
    made.https = https_;
    made.cluster = "prod";
    made.id = id;
    made.ca = ca_;
    made.cert = cert_;
    made.key = key_;
    made.request_limit = kLimit;
    return made;
  }
  std::unique_ptr<Etcd> connect(const EtcdOptions& with) {
    return std::make_unique<Etcd>(with, resolver_);
  }
  std::unique_ptr<Etcd> connect(const std::string& id) { return connect(options(id)); }

  // What etcdctl would do. "" or what was said.
  std::string post(const std::string& path, const std::string& body,
                   const std::string& token = "") {
    HttpClient client({{"127.0.0.1", etcd_.port()}}, nullptr, resolver_);
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    bool fresh = false;
    if (std::string wrong = client.open(deadline, fresh); !wrong.empty()) return wrong;
    const HttpAnswer answer = client.ask(path, body, token, deadline);
    answer_ = answer.body;
    return answer.status == 200 ? answer.failure : answer.failure + answer.body;
  }

  static bool eventually(const std::function<bool()>& met) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!met()) {
      if (std::chrono::steady_clock::now() > until) return false;
      ::usleep(20'000);  // between two looks
    }
    return true;
  }

  testing::EtcdProcess etcd_;
  net::Resolver resolver_;
  std::string ca_;
  std::string cert_;
  std::string key_;
  std::string answer_;
  bool https_ = false;
};

TEST_F(EtcdRealTest, TheFirstOneTakesTheKeyAndTheSecondIsTold) {
  start();
  const auto a = connect("a");
  const auto b = connect("b");
  Lease lease_a;
  Lease lease_b;
  ASSERT_TRUE(a->grant(milliseconds(60'000), lease_a).yes());
  ASSERT_TRUE(b->grant(milliseconds(60'000), lease_b).yes());
  EXPECT_EQ(lease_a.ttl, milliseconds(60'000));
  CoordinatorKeys keys;
  ASSERT_TRUE(b->read(keys).yes());
  EXPECT_EQ(keys.leader.revision, 0);
  ASSERT_TRUE(a->take(lease_a, 0).yes());
  EXPECT_EQ(b->take(lease_b, 0).said, Said::kNo);
  ASSERT_TRUE(b->read(keys).yes());
  EXPECT_EQ(keys.leader.value, "a");
  EXPECT_EQ(keys.leader.lease, lease_a.id);
  EXPECT_TRUE(a->renew(lease_a).yes());
  // By the revision that was seen, the key can be taken from its holder.
  EXPECT_TRUE(b->take(lease_b, keys.leader.revision).yes());
  ASSERT_TRUE(a->read(keys).yes());
  EXPECT_EQ(keys.leader.value, "b");
}

TEST_F(EtcdRealTest, TheKeyGoesWithTheLease) {
  start();
  const auto a = connect("a");
  Lease lease;
  ASSERT_TRUE(a->grant(milliseconds(60'000), lease).yes());
  ASSERT_TRUE(a->take(lease, 0).yes());
  EXPECT_TRUE(a->revoke(lease).yes());
  EXPECT_EQ(a->revoke(lease).said, Said::kNo);
  EXPECT_EQ(a->renew(lease).said, Said::kNo);
  EXPECT_EQ(a->take(lease, 0).said, Said::kNo);
  CoordinatorKeys keys;
  ASSERT_TRUE(a->read(keys).yes());
  EXPECT_EQ(keys.leader.revision, 0);

  ASSERT_TRUE(a->grant(milliseconds(1000), lease).yes());
  EXPECT_GE(lease.ttl, milliseconds(1000));
  ASSERT_TRUE(a->take(lease, 0).yes());
  EXPECT_TRUE(eventually([&] { return a->read(keys).yes() && keys.leader.revision == 0; }));
  EXPECT_EQ(a->renew(lease).said, Said::kNo);
}

TEST_F(EtcdRealTest, WhoChangesControlMustHaveSeenIt) {
  start();
  const auto a = connect("a");
  EXPECT_TRUE(a->set_control(R"({"failover":"manual"})", 0).yes());
  EXPECT_EQ(a->set_control("{}", 0).said, Said::kNo);
  CoordinatorKeys keys;
  ASSERT_TRUE(a->read(keys).yes());
  EXPECT_EQ(keys.control.value, R"({"failover":"manual"})");
  EXPECT_EQ(keys.control.lease, 0);
  EXPECT_TRUE(a->set_control("{}", keys.control.revision).yes());
  EXPECT_EQ(a->set_control("{}", keys.control.revision).said, Said::kNo);
}

TEST_F(EtcdRealTest, UsersAndPasswords) {
  start();
  ASSERT_EQ(post("/v3/auth/user/add", R"({"name":"root","password":"pw"})"), "");
  ASSERT_EQ(post("/v3/auth/user/grant", R"({"user":"root","role":"root"})"), "");
  ASSERT_EQ(post("/v3/auth/role/add", R"({"name":"ha"})"), "");
  ASSERT_EQ(post("/v3/auth/role/grant", R"({"name":"ha","perm":{"permType":"READWRITE","key":")" +
                                            etcd::to_base64("/ha/prod/") + R"(","range_end":")" +
                                            etcd::to_base64("/ha/prod0") + "\"}}"),
            "");
  ASSERT_EQ(post("/v3/auth/user/add", R"({"name":"node","password":"secret"})"), "");
  ASSERT_EQ(post("/v3/auth/user/grant", R"({"user":"node","role":"ha"})"), "");
  EtcdOptions with_user = options("a");
  with_user.user = "node";
  with_user.password_file = testing::write_file(etcd_.dir().path(), "password", "secret\n");
  const auto a = connect(with_user);
  Lease lease;
  // There are no users yet, or rather nobody asks for them.
  ASSERT_TRUE(a->grant(milliseconds(60'000), lease).yes());
  ASSERT_EQ(post("/v3/auth/enable", "{}"), "");
  ASSERT_TRUE(a->take(lease, 0).yes());
  CoordinatorKeys keys;
  ASSERT_TRUE(a->read(keys).yes());
  EXPECT_EQ(keys.leader.value, "a");

  // A change of users makes each token one for an old revision; here or there it is replaced.
  std::string token;
  ASSERT_EQ(post("/v3/auth/authenticate", R"({"name":"root","password":"pw"})"), "");
  ASSERT_TRUE(etcd::parse_token(answer_, token));
  ASSERT_EQ(post("/v3/auth/user/add", R"({"name":"more","password":"x"})", token), "");
  EXPECT_TRUE(a->set_control("{}", 0).yes());
  EXPECT_TRUE(a->renew(lease).yes());

  CoordinatorAnswer answer = connect("b")->read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("coordinator_user"));
  EtcdOptions elsewhere = with_user;
  elsewhere.prefix = "/other";
  answer = connect(elsewhere)->read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("'/other/prod/'"));
  with_user.password_file = testing::write_file(etcd_.dir().path(), "wrong", "wrong\n");
  answer = connect(with_user)->read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("coordinator_password_file"));
}

TEST_F(EtcdRealTest, Tls) {
  testing::Authority authority("ca");
  const testing::Authority stranger("stranger");
  const auto file = [&](const std::string& name, const std::string& text) {
    return testing::write_file(etcd_.dir().path(), name, text);
  };
  const auto server = authority.issue("etcd", {.names = "DNS:localhost,IP:127.0.0.1"});
  const auto node = authority.issue("node", {.names = "DNS:node", .usage = "clientAuth"});
  ca_ = file("ca.crt", authority.pem());
  cert_ = file("node.crt", node.certificate);
  key_ = file("node.key", node.key);
  start({"--client-cert-auth", "--trusted-ca-file=" + ca_,
         "--cert-file=" + file("etcd.crt", server.certificate),
         "--key-file=" + file("etcd.key", server.key)},
        true);
  if (HasFatalFailure()) return;
  Lease lease;
  CoordinatorKeys keys;
  const auto a = connect("a");
  EXPECT_EQ(a->check(), "");
  ASSERT_TRUE(a->grant(milliseconds(60'000), lease).yes());
  EXPECT_TRUE(a->take(lease, 0).yes());
  EXPECT_TRUE(a->renew(lease).yes());

  EtcdOptions by_name = options("a");
  by_name.endpoints = {{"localhost", etcd_.port()}};
  EXPECT_TRUE(connect(by_name)->read(keys).yes());
  EtcdOptions other = options("a");
  other.ca = file("stranger.crt", stranger.pem());
  other.cert.clear();
  other.key.clear();
  CoordinatorAnswer answer = connect(other)->read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("coordinator_ca"));
  EtcdOptions bare = options("a");
  bare.cert.clear();
  bare.key.clear();
  answer = connect(bare)->read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("did not take what this node proved itself with"));
  EtcdOptions plain = options("a");
  plain.https = false;
  EXPECT_EQ(connect(plain)->read(keys).said, Said::kUnknown);
}

TEST_F(EtcdRealTest, ACertificateForAnotherHostIsRefused) {
  testing::Authority authority("ca");
  // One name for the gateway's own connection to its server, which goes by the address.
  const auto server = authority.issue("etcd", {.names = "IP:127.0.0.1"});
  ca_ = testing::write_file(etcd_.dir().path(), "ca.crt", authority.pem());
  start({"--cert-file=" + testing::write_file(etcd_.dir().path(), "etcd.crt", server.certificate),
         "--key-file=" + testing::write_file(etcd_.dir().path(), "etcd.key", server.key)},
        true);
  if (HasFatalFailure()) return;
  CoordinatorKeys keys;
  EXPECT_TRUE(connect("a")->read(keys).yes());
  EtcdOptions by_name = options("a");
  by_name.endpoints = {{"localhost", etcd_.port()}};
  const CoordinatorAnswer answer = connect(by_name)->read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("not for 'localhost'"));
}

}  // namespace
}  // namespace ha
