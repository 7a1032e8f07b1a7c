// SPDX-License-Identifier: Apache-2.0
// What etcd was asked and what it answered. Those of 3.4 were recorded from 3.4.23; 3.5 writes the
// same. Those of 3.6 are as its gateway's documents have them.
#include "ha_plugin/coordinator/etcd_json.h"

#include <gtest/gtest.h>

#include <string>

namespace ha::etcd {
namespace {

constexpr char kGranted[] =
    R"({"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"1","raft_term":"2"},"ID":"4390624973712276485","TTL":"2"})";
constexpr char kRenewed[] =
    R"({"result":{"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"1","raft_term":"2"},"ID":"4390624973712276487","TTL":"30"}})"
    "\n";
constexpr char kEnded[] =
    R"({"result":{"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"1","raft_term":"2"},"ID":"1234"}})"
    "\n";
constexpr char kHeaderOnly[] =
    R"({"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"2","raft_term":"2"}})";
constexpr char kPut[] =
    R"({"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"2","raft_term":"2"},"succeeded":true,)"
    R"("responses":[{"response_put":{"header":{"revision":"2"}}}]})";
constexpr char kDeleted[] =
    R"({"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"4","raft_term":"2"},"succeeded":true,)"
    R"("responses":[{"response_delete_range":{"header":{"revision":"4"},"deleted":"1"}}]})";
constexpr char kFound[] =
    R"({"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"3","raft_term":"2"},"kvs":[{"key":"L2hhL2MvY29udHJvbA==",)"
    R"("create_revision":"3","mod_revision":"3","version":"1","value":"e30="},)"
    R"({"key":"L2hhL2MvbGVhZGVy","create_revision":"2","mod_revision":"2","version":"1",)"
    R"("value":"YQ==","lease":"4390624973712276487"}],"count":"2"})";
constexpr char kToken[] =
    R"({"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238",)"
    R"("revision":"4","raft_term":"2"},"token":"yqAcPUZBEpZEfAJQ.22"})";

TEST(EtcdJson, Base64) {
  for (const std::string bytes : {"", "a", "ab", "abc", "/ha/prod/leader", "\xff\xfe\xfd\x00x"}) {
    std::string back;
    EXPECT_TRUE(from_base64(to_base64(bytes), back));
    EXPECT_EQ(back, bytes);
  }
  EXPECT_EQ(to_base64("/ha/c/leader"), "L2hhL2MvbGVhZGVy");
  EXPECT_EQ(to_base64("a"), "YQ==");
  std::string out;
  for (const char* wrong : {"YQ", "Y===", "YR==", "YQ=a", "Y-==", "YQ==YQ==", "===="}) {
    EXPECT_FALSE(from_base64(wrong, out)) << wrong;
  }
}

TEST(EtcdJson, Requests) {
  EXPECT_EQ(grant_request(3), R"({"TTL":"3"})");
  EXPECT_EQ(lease_request(4390624973712276487), R"({"ID":"4390624973712276487"})");
  EXPECT_EQ(range_request("/ha/c/"), R"({"key":"L2hhL2Mv","range_end":"L2hhL2Mw"})");
  EXPECT_EQ(put_request("/ha/c/leader", "a", 7, 0),
            R"({"compare":[{"result":"EQUAL","key":"L2hhL2MvbGVhZGVy","target":"CREATE",)"
            R"("create_revision":"0"}],"success":[{"request_put":{"key":"L2hhL2MvbGVhZGVy",)"
            R"("value":"YQ==","lease":"7"}}]})");
  EXPECT_EQ(put_request("/ha/c/control", "{}", 0, 5),
            R"({"compare":[{"result":"EQUAL","key":"L2hhL2MvY29udHJvbA==","target":"MOD",)"
            R"("mod_revision":"5"}],"success":[{"request_put":{"key":"L2hhL2MvY29udHJvbA==",)"
            R"("value":"e30="}}]})");
  EXPECT_EQ(authenticate_request("n", "p\"q"), R"({"name":"n","password":"p\"q"})");
}

TEST(EtcdJson, Granted) {
  Granted granted;
  ASSERT_TRUE(parse_granted(kGranted, granted));
  EXPECT_EQ(granted.header.cluster, 13455796455940752355u);
  EXPECT_EQ(granted.header.term, 2u);
  EXPECT_EQ(granted.id, 4390624973712276485);
  EXPECT_EQ(granted.ttl_s, 2);
  EXPECT_FALSE(parse_granted(kHeaderOnly, granted));
  EXPECT_FALSE(parse_granted(R"({"ID":"5","TTL":"2"})", granted));
}

TEST(EtcdJson, Renewed) {
  Renewed renewed;
  ASSERT_TRUE(parse_renewed(kRenewed, 4390624973712276487, renewed));
  EXPECT_EQ(renewed.ttl_s, 30);
  EXPECT_FALSE(parse_renewed(kRenewed, 1234, renewed));
  ASSERT_TRUE(parse_renewed(kEnded, 1234, renewed));
  EXPECT_EQ(renewed.ttl_s, 0);
  EXPECT_FALSE(parse_renewed(kGranted, 4390624973712276485, renewed));
  EXPECT_FALSE(parse_renewed(std::string(kRenewed) + kRenewed, 4390624973712276487, renewed));
}

TEST(EtcdJson, WithoutAWholeHeaderTheAnswerIsRefused) {
  Header header;
  ASSERT_TRUE(parse_revoked(kHeaderOnly, header));
  EXPECT_EQ(header.term, 2u);
  for (const char* wrong :
       {"", "{", "[]", "7", "null", "{}", R"({"header":{}})", R"({"header":[]})",
        R"({"header":{"cluster_id":"1"}})", R"({"header":{"raft_term":"1"}})",
        R"({"header":{"cluster_id":"1","raft_term":"-1"}})",
        R"({"header":{"cluster_id":"1","raft_term":" 1"}})",
        R"({"header":{"cluster_id":"1","raft_term":"99999999999999999999"}})",
        R"({"header":{"cluster_id":"1","raft_term":true}})", R"({"header":{"cluster_id":"1",)",
        R"({"header":{"cluster_id":"1","raft_term":"1"}} x)"}) {
    EXPECT_FALSE(parse_revoked(wrong, header)) << wrong;
  }
  const std::string deep(100'000, '[');
  EXPECT_FALSE(parse_revoked(deep, header));
}

TEST(EtcdJson, Found) {
  Found found;
  ASSERT_TRUE(parse_found(kFound, "/ha/c/leader", "/ha/c/control", found));
  EXPECT_EQ(found.keys.leader.value, "a");
  EXPECT_EQ(found.keys.leader.revision, 2);
  EXPECT_EQ(found.keys.leader.lease, 4390624973712276487);
  EXPECT_EQ(found.keys.control.value, "{}");
  EXPECT_EQ(found.keys.control.revision, 3);
  EXPECT_EQ(found.keys.control.lease, 0);
  ASSERT_TRUE(parse_found(kHeaderOnly, "/ha/c/leader", "/ha/c/control", found));
  EXPECT_EQ(found.keys.leader.revision, 0);
  EXPECT_EQ(found.keys.control.revision, 0);
}

TEST(EtcdJson, Changed) {
  Changed changed;
  ASSERT_TRUE(parse_changed(kPut, changed));
  EXPECT_TRUE(changed.done);
  ASSERT_TRUE(parse_changed(kHeaderOnly, changed));
  EXPECT_FALSE(changed.done);
  EXPECT_FALSE(parse_changed(kDeleted, changed));
  EXPECT_FALSE(parse_changed("{}", changed));
}

TEST(EtcdJson, Token) {
  std::string token;
  ASSERT_TRUE(parse_token(kToken, token));
  EXPECT_EQ(token, "yqAcPUZBEpZEfAJQ.22");
  EXPECT_FALSE(parse_token(kHeaderOnly, token));
}

TEST(EtcdJson, Version) {
  const auto version = [](const char* body) {
    int out = 0;
    std::string text;
    return parse_version(body, out, text) ? out : -1;
  };
  EXPECT_EQ(version(R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})"), 304);
  EXPECT_EQ(version(R"({"etcdserver":"3.5.28","etcdcluster":"3.5.0"})"), 305);
  EXPECT_EQ(version(R"({"etcdserver":"3.6.9","etcdcluster":"3.6.0","storage":"3.6.0"})"), 306);
  EXPECT_EQ(version(R"({"etcdserver":"3.7.0-alpha.0"})"), 307);
  EXPECT_EQ(version(R"({"etcdserver":"4.0"})"), 400);
  for (const char* wrong : {"{}", "Not Found", R"({"etcdserver":3.4})", R"({"etcdserver":"3"})",
                            R"({"etcdserver":"v3.4.1"})", R"({"etcdserver":"3.x.1"})",
                            R"({"etcdserver":"3.400.1"})", R"({"etcdserver":"-3.4.1"})"}) {
    EXPECT_EQ(version(wrong), -1) << wrong;
  }
}

TEST(EtcdJson, Faults) {
  using Kind = Fault::Kind;
  const auto kind = [](unsigned status, const char* body) {
    return parse_fault(status, body).kind;
  };
  // 3.4 and 3.5.
  EXPECT_EQ(kind(404, R"({"error":"etcdserver: requested lease not found",)"
                      R"("message":"etcdserver: requested lease not found","code":5})"),
            Kind::kLease);
  EXPECT_EQ(kind(412, R"({"error":"etcdserver: authentication is not enabled",)"
                      R"("message":"etcdserver: authentication is not enabled","code":9})"),
            Kind::kNoUsers);
  EXPECT_EQ(kind(400, R"({"error":"etcdserver: user name is empty",)"
                      R"("message":"etcdserver: user name is empty","code":3})"),
            Kind::kToken);
  EXPECT_EQ(
      kind(400, R"({"error":"etcdserver: authentication failed, invalid user ID or password",)"
                R"("message":"etcdserver: authentication failed, invalid user ID or password",)"
                R"("code":3})"),
      Kind::kPassword);
  EXPECT_EQ(kind(401, R"({"error":"etcdserver: invalid auth token",)"
                      R"("message":"etcdserver: invalid auth token","code":16})"),
            Kind::kToken);
  EXPECT_EQ(kind(403, R"({"error":"etcdserver: permission denied",)"
                      R"("message":"etcdserver: permission denied","code":7})"),
            Kind::kDenied);
  EXPECT_EQ(kind(503, R"({"error":"etcdserver: request timed out",)"
                      R"("message":"etcdserver: request timed out","code":14})"),
            Kind::kUnavailable);
  // A stream's.
  EXPECT_EQ(
      kind(200, R"({"error":{"grpc_code":16,"http_code":401,)"
                R"("message":"etcdserver: invalid auth token","http_status":"Unauthorized"}})"),
      Kind::kToken);
  // 3.6.
  EXPECT_EQ(
      kind(404, R"({"code":5,"message":"etcdserver: requested lease not found","details":[]})"),
      Kind::kLease);
  EXPECT_EQ(kind(200, R"({"error":{"code":16,"message":"etcdserver: invalid auth token",)"
                      R"("details":[]}})"),
            Kind::kToken);
  EXPECT_EQ(kind(400, R"({"code":3,"message":"auth: revision in header is old","details":[]})"),
            Kind::kToken);
  // Others'.
  EXPECT_EQ(kind(401, "<html>"), Kind::kToken);
  EXPECT_EQ(kind(404, "Not Found\n"), Kind::kUnavailable);
  EXPECT_EQ(kind(200, ""), Kind::kUnavailable);
}

TEST(EtcdJson, FaultsAreShownOnOneLine) {
  EXPECT_EQ(parse_fault(502, "<html>").text, "HTTP status 502");
  EXPECT_EQ(parse_fault(503, R"({"message":"a\nb"})").text, "'a?b'");
}

TEST(EtcdJson, AnAnswerThatIsAFault) {
  EXPECT_TRUE(is_fault(R"({"error":{"grpc_code":14}})"));
  EXPECT_FALSE(is_fault(kRenewed));
  EXPECT_FALSE(is_fault(""));
}

}  // namespace
}  // namespace ha::etcd
