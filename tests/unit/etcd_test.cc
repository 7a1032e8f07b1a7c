// SPDX-License-Identifier: Apache-2.0
// Etcd against servers that misbehave. Limits are short where silence is waited for and long
// elsewhere; none is measured.
#include "ha_plugin/coordinator/etcd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>

#include "tests/unit/authority.h"
#include "tests/unit/fake_etcd.h"
#include "tests/unit/fake_names.h"
#include "tests/unit/instance.h"
#include "tests/unit/state_dir.h"

namespace ha {
namespace {

using std::chrono::milliseconds;
using testing::FakeEtcd;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Reply = FakeEtcd::Reply;

constexpr char kGrant[] = "/v3/lease/grant";
constexpr char kKeepalive[] = "/v3/lease/keepalive";
constexpr char kRevoke[] = "/v3/lease/revoke";
constexpr char kRange[] = "/v3/kv/range";
constexpr char kTxn[] = "/v3/kv/txn";
constexpr char kAuthenticate[] = "/v3/auth/authenticate";
constexpr milliseconds kShort{150};

std::string header(int term = 7, const std::string& cluster = "1") {
  return R"("header":{"cluster_id":")" + cluster + R"(","member_id":"2","revision":"5",)" +
         R"("raft_term":")" + std::to_string(term) + "\"}";
}
Reply ok(const std::string& rest, int term = 7, const std::string& cluster = "1") {
  return FakeEtcd::json("{" + header(term, cluster) + rest + "}");
}
Reply renewed(int term = 7) {
  return FakeEtcd::json(R"({"result":{)" + header(term) + R"(,"ID":"99","TTL":"3"}})");
}
Reply put_done() { return ok(R"(,"succeeded":true,"responses":[{"response_put":{}}])"); }
Reply fault(const std::string& status, int code, const std::string& text) {
  return FakeEtcd::json(R"({"error":")" + text + R"(","message":")" + text + R"(","code":)" +
                            std::to_string(code) + "}",
                        status);
}
Reply unavailable() {
  return fault("503 Service Unavailable", 14, "etcdserver: request timed out");
}
Reply bad_token() { return fault("401 Unauthorized", 16, "etcdserver: invalid auth token"); }

class EtcdTest : public ::testing::Test {
 protected:
  Etcd& etcd(EtcdOptions more = {}) {
    if (more.endpoints.empty()) more.endpoints = {server_.address()};
    more.cluster = "prod";
    more.id = "a";
    if (more.request_limit == EtcdOptions{}.request_limit)
      more.request_limit = milliseconds(20'000);
    etcd_ = std::make_unique<Etcd>(std::move(more), resolver_, [this](auto* op, Said said) {
      constexpr const char* kNames[] = {"ok", "no", "error"};
      ++counted_[std::string(op) + " " + kNames[static_cast<int>(said)]];
    });
    return *etcd_;
  }
  EtcdOptions with_user() {
    EtcdOptions options;
    options.user = "n";
    options.password_file = testing::write_file(dir_.path(), "password", "secret\n");
    return options;
  }
  static EtcdOptions impatient() {
    EtcdOptions options;
    options.request_limit = kShort;
    return options;
  }
  EtcdOptions both() {
    EtcdOptions options;
    options.endpoints = {server_.address(), other_.address()};
    return options;
  }

  testing::StateDir dir_;
  net::Resolver resolver_;
  FakeEtcd server_;
  FakeEtcd other_;
  std::map<std::string, int> counted_;
  std::unique_ptr<Etcd> etcd_;
  const Lease lease_{99, milliseconds(3000)};
};

TEST_F(EtcdTest, GrantsWhatTheServerSays) {
  server_.on(kGrant, {ok(R"(,"ID":"99","TTL":"4")")});
  Lease lease;
  EXPECT_TRUE(etcd().grant(milliseconds(2500), lease).yes());
  EXPECT_EQ(lease.id, 99);
  EXPECT_EQ(lease.ttl, milliseconds(4000));
  EXPECT_THAT(server_.requests(kGrant).at(0).body, HasSubstr(R"("TTL":"3")"));
  EXPECT_EQ(counted_["grant ok"], 1);
}

TEST_F(EtcdTest, OneConnectionIsKeptAndItsVersionAskedForOnce) {
  server_.on(kKeepalive, {renewed()});
  Etcd& one = etcd();
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_THAT(server_.requests("/version"), SizeIs(1));
  EXPECT_EQ(server_.requests().back().connection, 1);
}

TEST_F(EtcdTest, AConnectionThatWasClosedMeanwhileIsReplaced) {
  server_.on(kTxn, {put_done()});
  Etcd& one = etcd();
  EXPECT_TRUE(one.take(lease_, 0).yes());
  // Seldom the end has not arrived yet when the next call begins; then that one's request is lost.
  bool at_once = false;
  for (int i = 0; i < 20 && !at_once; ++i) {
    server_.hang_up();
    at_once = one.take(lease_, 0).yes();
    EXPECT_TRUE(at_once || one.take(lease_, 0).yes());
  }
  EXPECT_TRUE(at_once);
  EXPECT_GT(server_.requests().back().connection, 1);
}

TEST_F(EtcdTest, ALeaseWithoutTimeOrNumberIsUnknown) {
  for (const char* rest : {R"(,"ID":"99")", R"(,"ID":"99","TTL":"0")", R"(,"TTL":"3")",
                           R"(,"ID":"x","TTL":"3")", R"(,"ID":"99","TTL":"3x")", ""}) {
    server_.on(kGrant, {ok(rest)});
    Lease lease;
    const CoordinatorAnswer answer = etcd().grant(milliseconds(3000), lease);
    EXPECT_EQ(answer.said, Said::kUnknown) << rest;
    EXPECT_THAT(answer.text, HasSubstr("etcd at " + server_.address().text()));
    EXPECT_EQ(lease.id, 0) << rest;
  }
}

TEST_F(EtcdTest, ARenewalWithoutATimeSaysThatTheLeaseHasEnded) {
  server_.on(kKeepalive, {FakeEtcd::json(R"({"result":{)" + header() + R"(,"ID":"99"}})")});
  EXPECT_EQ(etcd().renew(lease_).said, Said::kNo);
  EXPECT_EQ(counted_["renew no"], 1);
}

TEST_F(EtcdTest, ARenewalOfAnotherLeaseOrWithoutAHeaderIsUnknown) {
  for (const std::string& body : {R"({"result":{)" + header() + R"(,"ID":"98","TTL":"3"}})",
                                  std::string(R"({"result":{"ID":"99","TTL":"3"}})"),
                                  std::string(R"({"result":{"ID":"99"}})"), std::string("{}"),
                                  std::string("null"), std::string("OK")}) {
    server_.on(kKeepalive, {FakeEtcd::json(body)});
    EXPECT_EQ(etcd().renew(lease_).said, Said::kUnknown) << body;
  }
}

TEST_F(EtcdTest, AStreamThatFailedAfterItsStatusIsUnknown) {
  server_.on(kKeepalive,
             {FakeEtcd::json(R"({"error":{"grpc_code":14,"http_code":503,"message":)"
                             R"("etcdserver: no leader","http_status":"Service Unavailable"}})")});
  const CoordinatorAnswer answer = etcd().renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("no leader"));
}

TEST_F(EtcdTest, TakesWithALeaseAndTheRevision) {
  server_.on(kTxn, {put_done()});
  Etcd& one = etcd();
  EXPECT_TRUE(one.take(lease_, 0).yes());
  EXPECT_THAT(server_.requests(kTxn).back().body, HasSubstr(R"("create_revision":"0")"));
  EXPECT_THAT(server_.requests(kTxn).back().body, HasSubstr(R"("lease":"99")"));
  EXPECT_TRUE(one.take(lease_, 12).yes());
  EXPECT_THAT(server_.requests(kTxn).back().body, HasSubstr(R"("mod_revision":"12")"));
}

TEST_F(EtcdTest, TakesNothingWithoutALease) {
  Etcd& one = etcd();
  EXPECT_EQ(one.take(Lease{}, 0).said, Said::kNo);
  EXPECT_THAT(server_.requests(), SizeIs(0));
}

TEST_F(EtcdTest, AbsentSucceededMeansThatSomebodyWasFirst) {
  server_.on(kTxn, {ok("")});
  EXPECT_EQ(etcd().take(lease_, 0).said, Said::kNo);
  EXPECT_EQ(counted_["take no"], 1);
}

TEST_F(EtcdTest, AnOddTxnIsUnknown) {
  for (const char* rest :
       {R"(,"succeeded":"true")", R"(,"succeeded":true)", R"(,"succeeded":true,"responses":[])",
        R"(,"succeeded":true,"responses":[{"response_delete_range":{"deleted":"1"}}])"}) {
    server_.on(kTxn, {ok(rest)});
    EXPECT_EQ(etcd().take(lease_, 0).said, Said::kUnknown) << rest;
  }
}

TEST_F(EtcdTest, ATxnWhoseAnswerWasLostIsNotAskedAgain) {
  const Reply lost = FakeEtcd::raw("", true);
  server_.on(kTxn, {lost});
  other_.on(kTxn, {ok("")});
  EXPECT_EQ(etcd(both()).take(lease_, 0).said, Said::kUnknown);
  EXPECT_THAT(other_.requests(), SizeIs(0));
  server_.on(kTxn, {unavailable()});
  EXPECT_EQ(etcd(both()).take(lease_, 0).said, Said::kUnknown);
  EXPECT_THAT(other_.requests(), SizeIs(0));
  // The next one goes to the next endpoint.
  EXPECT_EQ(etcd_->take(lease_, 0).said, Said::kNo);
  EXPECT_THAT(server_.requests(kTxn), SizeIs(2));
}

TEST_F(EtcdTest, ALeaseThatHasEndedTakesNothingAndCannotBeRevoked) {
  const Reply none = fault("404 Not Found", 5, "etcdserver: requested lease not found");
  server_.on(kTxn, {none});
  server_.on(kRevoke, {none});
  Etcd& one = etcd();
  const CoordinatorAnswer answer = one.take(lease_, 0);
  EXPECT_EQ(answer.said, Said::kNo);
  EXPECT_THAT(answer.text, HasSubstr("lease"));
  EXPECT_EQ(one.revoke(lease_).said, Said::kNo);
}

TEST_F(EtcdTest, ReadsBothKeysAndPassesOverOthers) {
  // PREFIX/CLUSTER/leader, /control and /members/a.
  server_.on(kRange,
             {ok(R"(,"kvs":[{"key":"L2hhL3Byb2QvY29udHJvbA==","mod_revision":"3","value":"e30="},)"
                 R"({"key":"L2hhL3Byb2QvbGVhZGVy","mod_revision":"2","value":"YQ==","lease":"99"},)"
                 R"({"key":"L2hhL3Byb2QvbWVtYmVycy9h","mod_revision":"9"}],"count":"3")")});
  CoordinatorKeys keys;
  EXPECT_TRUE(etcd().read(keys).yes());
  EXPECT_EQ(keys.leader.value, "a");
  EXPECT_EQ(keys.leader.revision, 2);
  EXPECT_EQ(keys.leader.lease, 99);
  EXPECT_EQ(keys.control.value, "{}");
  EXPECT_EQ(keys.control.revision, 3);
  EXPECT_EQ(keys.control.lease, 0);
}

TEST_F(EtcdTest, APartOfTheKeysIsUnknown) {
  for (const char* rest :
       {R"(,"count":"1")", R"(,"more":true)",
        R"(,"kvs":[{"key":"L2hhL3Byb2QvbGVhZGVy","value":"YQ=="}],"count":"1")",
        R"(,"kvs":[{"key":"L2hhL3Byb2QvbGVhZGVy","mod_revision":"2","value":"Y"}],"count":"1")"}) {
    server_.on(kRange, {ok(rest)});
    CoordinatorKeys keys;
    EXPECT_EQ(etcd().read(keys).said, Said::kUnknown) << rest;
  }
}

TEST_F(EtcdTest, AMemberThatWasLeftBehindIsPassedOver) {
  server_.on(kRange, {ok("", 7), ok("", 6)});
  other_.on(kRange, {ok("", 7)});
  CoordinatorKeys keys;
  Etcd& one = etcd(both());
  EXPECT_TRUE(one.read(keys).yes());
  EXPECT_TRUE(one.read(keys).yes());
  EXPECT_THAT(other_.requests(kRange), SizeIs(1));
}

TEST_F(EtcdTest, ALowerTermMakesEveryAnswerUnknown) {
  server_.on(kRange, {ok("", 7), ok("", 6)});
  server_.on(kKeepalive, {renewed(6)});
  CoordinatorKeys keys;
  Etcd& one = etcd();
  EXPECT_TRUE(one.read(keys).yes());
  EXPECT_EQ(one.renew(lease_).said, Said::kUnknown);
  const CoordinatorAnswer answer = one.read(keys);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("left behind"));
  // Another cluster in its place counts its own.
  server_.on(kRange, {ok("", 2, "8")});
  EXPECT_TRUE(one.read(keys).yes());
}

TEST_F(EtcdTest, TheNextEndpointAnswersForADeadOneAndIsStayedWith) {
  other_.on(kKeepalive, {renewed()});
  EtcdOptions options;
  options.endpoints = {{"127.0.0.1", testing::free_port()}, other_.address()};
  Etcd& one = etcd(options);
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_EQ(other_.requests().back().connection, 1);
}

TEST_F(EtcdTest, TheNextEndpointAnswersForOneThatHangs) {
  server_.on(kKeepalive, {FakeEtcd::silence()});
  other_.on(kKeepalive, {renewed()});
  EtcdOptions options = both();
  options.request_limit = milliseconds(1000);
  EXPECT_TRUE(etcd(options).renew(lease_).yes());
}

TEST_F(EtcdTest, ASilentServerIsNamed) {
  server_.on(kKeepalive, {FakeEtcd::silence()});
  const CoordinatorAnswer answer = etcd(impatient()).renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr(server_.address().text() + ": no answer in time"));
  EXPECT_EQ(counted_["renew error"], 1);
}

TEST_F(EtcdTest, ALateAnswerIsNotTakenForTheNextOne) {
  server_.on(kKeepalive, {FakeEtcd::silence(), FakeEtcd::json("{}")});
  Etcd& one = etcd(impatient());
  EXPECT_EQ(one.renew(lease_).said, Said::kUnknown);
  EXPECT_EQ(one.renew(lease_).said, Said::kUnknown);
  EXPECT_NE(server_.requests().back().connection, 1);
}

TEST_F(EtcdTest, AnswersThatAreNotHttpOrNotWholeAreUnknown) {
  const std::string whole = renewed().bytes;
  for (const Reply& reply : {FakeEtcd::raw(whole.substr(0, whole.size() - 5), true),
                             FakeEtcd::raw(whole.substr(0, 20), true), FakeEtcd::raw("", true),
                             FakeEtcd::raw("SSH-2.0-OpenSSH_9.2\r\n"),
                             FakeEtcd::raw("HTTP/1.1 200 OK\r\n\r\n{}", true)}) {
    server_.on(kKeepalive, {reply});
    const CoordinatorAnswer answer = etcd().renew(lease_);
    EXPECT_EQ(answer.said, Said::kUnknown) << reply.bytes;
    EXPECT_THAT(answer.text, HasSubstr(server_.address().text()));
  }
}

TEST_F(EtcdTest, AnAnswerInChunksIsRead) {
  const std::string body = R"({"result":{)" + header() + R"(,"ID":"99","TTL":"3"}})";
  char size[16];
  std::snprintf(size, sizeof size, "%zx", body.size());
  server_.on(kKeepalive,
             {FakeEtcd::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                            std::string(size) + "\r\n" + body + "\r\n1\r\n\n\r\n0\r\n\r\n")});
  EXPECT_TRUE(etcd().renew(lease_).yes());
}

TEST_F(EtcdTest, AnEndlessBodyOrHeaderIsCutOff) {
  const std::string much(64 * 1024, 'x');
  const std::string head = "HTTP/1.1 200 OK\r\n";
  for (const Reply& reply :
       {Reply{head + "Transfer-Encoding: chunked\r\n\r\n10000\r\n" + much + "\r\n"},
        Reply{head + "Content-Length: 99999999\r\n\r\n"}, Reply{head + "X: " + much}}) {
    Reply first = reply;
    if (first.bytes.find("chunked") != std::string::npos) {
      for (int i = 0; i < 20; ++i) first.bytes += "10000\r\n" + much + "\r\n";
    }
    server_.on(kKeepalive, {first});
    const CoordinatorAnswer answer = etcd().renew(lease_);
    EXPECT_EQ(answer.said, Said::kUnknown);
    EXPECT_THAT(answer.text, HasSubstr("limit"));
  }
}

TEST_F(EtcdTest, AnEndlessAnswerThatIsNotHttpIsCutOff) {
  server_.on(kKeepalive, {Reply{std::string(1000, 'y'), false, true}});
  EXPECT_EQ(etcd().renew(lease_).said, Said::kUnknown);
}

TEST_F(EtcdTest, AMemberWithoutAQuorumIsPassedOver) {
  server_.on(kKeepalive, {unavailable()});
  other_.on(kKeepalive, {renewed()});
  EXPECT_TRUE(etcd(both()).renew(lease_).yes());
  server_.on(kKeepalive, {unavailable()});
  other_.on(kKeepalive, {unavailable()});
  const CoordinatorAnswer answer = etcd(both()).renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr(server_.address().text() + ": it said 'etcdserver: request"));
  EXPECT_THAT(answer.text, HasSubstr(other_.address().text() + ": it said 'etcdserver: request"));
}

TEST_F(EtcdTest, EachEndpointIsAskedOnce) {
  server_.on(kKeepalive, {unavailable()});
  other_.on(kKeepalive, {unavailable()});
  EXPECT_FALSE(etcd(both()).renew(lease_).yes());
  EXPECT_THAT(server_.requests(kKeepalive), SizeIs(1));
  EXPECT_THAT(other_.requests(kKeepalive), SizeIs(1));
}

TEST_F(EtcdTest, AnOldServerIsRefusedInWords) {
  server_.on("/version", {FakeEtcd::json(R"({"etcdserver":"3.3.27","etcdcluster":"3.3.0"})")});
  server_.on(kKeepalive, {renewed()});
  const CoordinatorAnswer answer = etcd().renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("version 3.3.27, and 3.4 is the oldest"));
  EXPECT_THAT(server_.requests(kKeepalive), SizeIs(0));
}

TEST_F(EtcdTest, AServerThatIsNotEtcdIsRefusedInWords) {
  server_.on("/version", {FakeEtcd::json("<html>", "404 Not Found")});
  EXPECT_THAT(etcd().renew(lease_).text, HasSubstr("404"));
}

TEST_F(EtcdTest, AuthenticatesAgainWhenTheTokenIsNoLongerGood) {
  server_.on(kAuthenticate, {ok(R"(,"token":"one")"), ok(R"(,"token":"two")")});
  server_.on(kKeepalive, {renewed(), bad_token(), renewed()});
  const EtcdOptions options = with_user();
  Etcd& one = etcd(options);
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_EQ(server_.requests(kKeepalive).back().authorization, "one");
  EXPECT_EQ(server_.requests(kAuthenticate).back().body, R"({"name":"n","password":"secret"})");
  testing::write_file(dir_.path(), "password", "another\r\nsecond line");
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_EQ(server_.requests(kKeepalive).back().authorization, "two");
  EXPECT_EQ(server_.requests(kAuthenticate).back().body, R"({"name":"n","password":"another"})");
  EXPECT_EQ(counted_["authenticate ok"], 2);
}

TEST_F(EtcdTest, AStreamMaySayThatTheTokenIsNoLongerGood) {
  server_.on(kAuthenticate, {ok(R"(,"token":"one")")});
  server_.on(kKeepalive, {FakeEtcd::json(R"({"error":{"grpc_code":16,"http_code":401,)"
                                         R"("message":"etcdserver: invalid auth token"}})"),
                          renewed()});
  EXPECT_TRUE(etcd(with_user()).renew(lease_).yes());
  EXPECT_THAT(server_.requests(kAuthenticate), SizeIs(2));
}

TEST_F(EtcdTest, AChangeOfUsersWantsANewTokenEvenForATxn) {
  server_.on(kAuthenticate, {ok(R"(,"token":"one")")});
  server_.on(kTxn, {fault("400 Bad Request", 3,
                          "etcdserver: revision of auth store is old: "
                          "auth: revision in header is old"),
                    put_done()});
  EXPECT_TRUE(etcd(with_user()).take(lease_, 0).yes());
  EXPECT_THAT(server_.requests(kAuthenticate), SizeIs(2));
}

TEST_F(EtcdTest, ATokenThatIsNeverGoodIsNotAskedForAgainAndAgain) {
  server_.on(kAuthenticate, {ok(R"(,"token":"one")")});
  server_.on(kKeepalive, {bad_token()});
  EXPECT_EQ(etcd(with_user()).renew(lease_).said, Said::kUnknown);
  EXPECT_THAT(server_.requests(kAuthenticate), SizeIs(2));
}

TEST_F(EtcdTest, ATokenThatIsNotFitForAHeaderIsRefused) {
  server_.on(kAuthenticate, {ok(R"(,"token":"one\r\nX: y")"), ok("")});
  EXPECT_EQ(etcd(with_user()).renew(lease_).said, Said::kUnknown);
  EXPECT_EQ(etcd(with_user()).renew(lease_).said, Said::kUnknown);
  EXPECT_THAT(server_.requests(kKeepalive), SizeIs(0));
}

TEST_F(EtcdTest, AWrongPasswordNamesTheOptions) {
  server_.on(kAuthenticate,
             {fault("400 Bad Request", 3,
                    "etcdserver: authentication failed, invalid user ID or password")});
  const CoordinatorAnswer answer = etcd(with_user()).renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("'coordinator_user', 'n'"));
  EXPECT_THAT(answer.text, HasSubstr("coordinator_password_file"));
  EXPECT_EQ(counted_["authenticate no"], 1);
}

TEST_F(EtcdTest, APasswordFileThatCannotBeReadIsNamed) {
  EtcdOptions options = with_user();
  options.password_file = dir_.path() + "/absent";
  EXPECT_THAT(etcd(options).check(), HasSubstr("absent"));
  const CoordinatorAnswer answer = etcd_->renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("absent"));
  options.password_file = testing::write_file(dir_.path(), "password", "secret", 0644);
  EXPECT_THAT(etcd(options).check(), HasSubstr("chmod 600"));
  options.password_file = testing::write_file(dir_.path(), "empty", "\nsecret");
  EXPECT_THAT(etcd(options).check(), HasSubstr("first line"));
}

TEST_F(EtcdTest, WithoutUsersThereNoTokenIsNeeded) {
  server_.on(kAuthenticate,
             {fault("412 Precondition Failed", 9, "etcdserver: authentication is not enabled")});
  server_.on(kKeepalive,
             {renewed(), renewed(), fault("400 Bad Request", 3, "etcdserver: user name is empty"),
              renewed()});
  Etcd& one = etcd(with_user());
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_THAT(server_.requests(kAuthenticate), SizeIs(1));
  // Until there are some.
  server_.on(kAuthenticate, {ok(R"(,"token":"one")")});
  EXPECT_TRUE(one.renew(lease_).yes());
  EXPECT_EQ(server_.requests(kKeepalive).back().authorization, "one");
}

TEST_F(EtcdTest, AServerThatWantsAUserNamesTheOption) {
  server_.on(kTxn, {fault("400 Bad Request", 3, "etcdserver: user name is empty")});
  const CoordinatorAnswer answer = etcd().take(lease_, 0);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("coordinator_user"));
  EXPECT_THAT(answer.text, HasSubstr("common name"));
}

TEST_F(EtcdTest, AUserWithoutTheRightNamesTheKeys) {
  server_.on(kAuthenticate, {ok(R"(,"token":"one")")});
  server_.on(kTxn, {fault("403 Forbidden", 7, "etcdserver: permission denied")});
  const CoordinatorAnswer answer = etcd(with_user()).take(lease_, 0);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("'/ha/prod/'"));
}

TEST_F(EtcdTest, CancelEndsTheCallThatIsUnderWayAndAllLaterOnes) {
  server_.on(kKeepalive, {FakeEtcd::silence()});
  EtcdOptions options = both();
  options.request_limit = std::chrono::hours(1);
  Etcd& one = etcd(options);
  auto renewal = std::async(std::launch::async, [&] { return one.renew(lease_); });
  ASSERT_TRUE(testing::Instance::eventually([&] { return !server_.requests(kKeepalive).empty(); }));
  one.cancel();
  EXPECT_EQ(renewal.get().said, Said::kUnknown);
  EXPECT_EQ(one.renew(lease_).said, Said::kUnknown);
  EXPECT_THAT(server_.requests(kKeepalive), SizeIs(1));
  EXPECT_THAT(other_.requests(), SizeIs(0));
}

TEST_F(EtcdTest, ANameWithoutAnAnswerHoldsUpNobody) {
  testing::FakeNames names;
  names.silence("etcd.test");
  other_.on(kKeepalive, {renewed()});
  EtcdOptions options;
  options.request_limit = milliseconds(1000);
  options.endpoints = {{"etcd.test", 2379}, other_.address()};
  EXPECT_TRUE(etcd(options).renew(lease_).yes());
  EXPECT_EQ(names.asked("etcd.test"), 1);
}

TEST_F(EtcdTest, AServerThatDoesNotSpeakTlsIsNamed) {
  const testing::Authority authority("ca");
  EtcdOptions options;
  options.https = true;
  options.ca = testing::write_file(dir_.path(), "ca.crt", authority.pem());
  ASSERT_EQ(etcd(options).check(), "");
  server_.hang_up();
  options.request_limit = kShort;
  const CoordinatorAnswer answer = etcd(options).renew(lease_);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr(server_.address().text()));
}

TEST_F(EtcdTest, FilesOfKeysThatCannotBeUsedAreNamed) {
  EtcdOptions options;
  options.https = true;
  options.ca = dir_.path() + "/absent";
  EXPECT_THAT(etcd(options).check(), HasSubstr("option 'coordinator_ca'"));
  EXPECT_THAT(etcd_->renew(lease_).text, HasSubstr("option 'coordinator_ca'"));
  EXPECT_THAT(server_.requests(), SizeIs(0));
}

}  // namespace
}  // namespace ha
