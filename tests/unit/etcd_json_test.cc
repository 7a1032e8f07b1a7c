// SPDX-License-Identifier: Apache-2.0
// What etcd was asked and what it answered, recorded from 3.4.23, 3.5.35, 3.6.16 and 3.7.3. Where
// nothing is said, 3.4 answered so, and the others alike but for numbers and spaces.
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
// 3.6 and 3.7 write spaces, but not in the answers of streams.
constexpr char kFoundWithSpaces[] =
    R"({"header":{"cluster_id":"14293810281878828107", "member_id":"6356031317069686652", )"
    R"("revision":"3", "raft_term":"2"}, "kvs":[{"key":"L2hhL2MvY29udHJvbA==", )"
    R"("create_revision":"3", "mod_revision":"3", "version":"1", "value":"e30="}, )"
    R"({"key":"L2hhL2MvbGVhZGVy", "create_revision":"2", "mod_revision":"2", "version":"1", )"
    R"("value":"YQ==", "lease":"7457013374825066243"}], "count":"2"})";
// Asked with a limit of 1.
constexpr char kFoundInPart[] =
    R"({"header":{"cluster_id":"14293810281878828107", "member_id":"6356031317069686652", )"
    R"("revision":"3", "raft_term":"2"}, "kvs":[{"key":"L2hhL2MvY29udHJvbA==", )"
    R"("create_revision":"3", "mod_revision":"3", "version":"1", "value":"e30="}], "more":true, )"
    R"("count":"2"})";
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
  // Its time in nanoseconds would overflow, or nobody asked for it.
  for (const char* ttl : {"9223372036854775807", "9223372036854776", "100000", "-1"}) {
    EXPECT_FALSE(parse_granted(R"({"header":{"cluster_id":"1","raft_term":"2"},"ID":"5","TTL":")" +
                                   std::string(ttl) + "\"}",
                               granted))
        << ttl;
  }
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
  ASSERT_TRUE(parse_found(kFound, "/ha/c/", found));
  EXPECT_EQ(found.keys.leader.value, "a");
  EXPECT_EQ(found.keys.leader.revision, 2);
  EXPECT_EQ(found.keys.leader.lease, 4390624973712276487);
  EXPECT_EQ(found.keys.control.value, "{}");
  EXPECT_EQ(found.keys.control.revision, 3);
  EXPECT_EQ(found.keys.control.lease, 0);
  ASSERT_TRUE(parse_found(kFoundWithSpaces, "/ha/c/", found));
  EXPECT_EQ(found.header.cluster, 14293810281878828107u);
  EXPECT_EQ(found.keys.leader.value, "a");
  EXPECT_EQ(found.keys.leader.lease, 7457013374825066243);
  EXPECT_EQ(found.keys.control.revision, 3);
  EXPECT_FALSE(parse_found(kFoundInPart, "/ha/c/", found));
  ASSERT_TRUE(parse_found(kHeaderOnly, "/ha/c/", found));
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
  EXPECT_EQ(version(R"({"etcdserver":"3.5.35","etcdcluster":"3.5.0"})"), 305);
  EXPECT_EQ(version(R"({"etcdserver":"3.6.16","etcdcluster":"3.6.0","storage":"3.6.0"})"), 306);
  EXPECT_EQ(version(R"({"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0"})"), 307);
  EXPECT_EQ(version(R"({"etcdserver":"3.8.0-alpha.0"})"), 308);
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
  // One text in the shapes of 3.4, 3.5, and both 3.6 and 3.7.
  const auto all = [&](unsigned status, const std::string& text, const std::string& code) {
    const std::string shapes[] = {
        R"({"error":")" + text + R"(","message":")" + text + R"(","code":)" + code + "}",
        R"({"error":")" + text + R"(","code":)" + code + R"(,"message":")" + text + "\"}",
        R"({"code":)" + code + R"(, "message":")" + text + "\"}"};
    const Kind first = kind(status, shapes[0].c_str());
    for (const std::string& shape : shapes) EXPECT_EQ(kind(status, shape.c_str()), first) << shape;
    return first;
  };
  EXPECT_EQ(all(404, "etcdserver: requested lease not found", "5"), Kind::kLease);
  EXPECT_EQ(all(412, "etcdserver: authentication is not enabled", "9"), Kind::kNoUsers);  // 3.4
  EXPECT_EQ(all(400, "etcdserver: authentication is not enabled", "9"), Kind::kNoUsers);
  EXPECT_EQ(all(400, "etcdserver: user name is empty", "3"), Kind::kToken);
  EXPECT_EQ(all(400, "etcdserver: authentication failed, invalid user ID or password", "3"),
            Kind::kPassword);
  EXPECT_EQ(all(401, "etcdserver: invalid auth token", "16"), Kind::kToken);
  EXPECT_EQ(all(400, "auth: revision in header is old", "3"), Kind::kToken);  // not recorded
  EXPECT_EQ(all(403, "etcdserver: permission denied", "7"), Kind::kDenied);
  EXPECT_EQ(all(503, "etcdserver: request timed out", "14"), Kind::kUnavailable);
  EXPECT_EQ(all(500, "context deadline exceeded", "2"), Kind::kUnavailable);  // 3.4
  EXPECT_EQ(all(504, "context deadline exceeded", "4"), Kind::kUnavailable);
  // A stream's. 3.4 renews without a token.
  EXPECT_EQ(
      kind(401, R"({"error":{"grpc_code":16,"http_code":401,)"
                R"("message":"etcdserver: invalid auth token","http_status":"Unauthorized"}})"),
      Kind::kToken);
  EXPECT_EQ(
      kind(400, R"({"error":{"grpc_code":3,"http_code":400,)"
                R"("message":"etcdserver: user name is empty","http_status":"Bad Request"}})"),
      Kind::kToken);
  EXPECT_EQ(kind(401, R"({"error":{"code":16,"message":"etcdserver: invalid auth token"}})"
                      "\n"),
            Kind::kToken);
  EXPECT_EQ(kind(400, R"({"error":{"code":3,"message":"etcdserver: user name is empty"}})"
                      "\n"),
            Kind::kToken);
  EXPECT_EQ(kind(503, R"({"error":{"grpc_code":14,"http_code":503,)"
                      R"("message":"etcdserver: no leader","http_status":"Service Unavailable"}})"),
            Kind::kUnavailable);
  EXPECT_EQ(kind(503, R"({"error":{"code":14,"message":"etcdserver: no leader"}})"
                      "\n"),
            Kind::kUnavailable);
  // It had begun when it failed.
  EXPECT_EQ(kind(200, R"({"error":{"code":16,"message":"etcdserver: invalid auth token"}})"),
            Kind::kToken);
  // A path that is none: 3.6 and 3.7.
  EXPECT_EQ(kind(404, R"({"code":5, "message":"Not Found"})"), Kind::kUnavailable);
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
