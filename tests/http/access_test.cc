// SPDX-License-Identifier: Apache-2.0
// Who may use which route: tokens in all their spellings, this machine's clients and others.

#include "http/access.h"

#include "http/fixture.h"
#include "http/peer.h"
#include "http/secret_file.h"

using namespace std::string_literals;

namespace stub::test {
namespace {

using http::Need;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kControl = "control-token-0123456789";
const std::string kClient = "client-token-0123456789";

struct Route {
  std::string method;
  std::string target;
  std::string body = {};
};
const std::vector<Route> kControlRoutes = {{"POST", "/v1/promote"},
                                           {"POST", "/v1/promote?force=true"},
                                           {"POST", "/v1/demote"},
                                           {"POST", "/v1/follow", R"({"master":"10.0.0.1:1"})"},
                                           {"PUT", "/v1/options/allow", R"({"value":"x"})"}};
const std::vector<Route> kDataRoutes = {
    {"POST", "/v1/topics/t/messages", R"({"body":"x"})"},
    {"GET", "/v1/topics/t/messages"},
    {"HEAD", "/v1/topics/t/messages"},
    {"GET", "/v1/groups/g/topics/t/queues/0/offset"},
    {"PUT", "/v1/groups/g/topics/t/queues/0/offset", R"({"next":0})"},
    {"DELETE", "/v1/groups/g"},
    {"DELETE", "/v1/groups/g/topics/t"}};
const std::vector<Route> kOpenRoutes = {
    {"GET", "/v1/status"}, {"GET", "/healthz"},  {"GET", "/readyz"},
    {"GET", "/metrics"},   {"GET", "/primary"},  {"HEAD", "/primary"},
    {"GET", "/readiness"}, {"GET", "/liveness"}, {"HEAD", "/v1/status"}};

class AccessTest : public HttpTest {
 protected:
  // Control and client tokens, unless told otherwise.
  void guard(bool control = true, bool client = false) {
    if (control) control_.write(kControl + "\n");
    if (client) client_.write(kClient + "\n");
    http::ServerOptions options;
    if (control) options.access.control_token_file = control_.path();
    if (client) options.access.client_token_file = client_.path();
    serve(options);
  }
  // fields: whole lines of the header.
  std::string send(const Route& route, const std::string& fields) const {
    auto socket = raw();
    socket.send(request(route.method, route.target, route.body,
                        "Connection: close\r\nContent-Type: application/json\r\n" + fields));
    return socket.read_all();
  }
  static std::string bearer(const std::string& token) {
    return "Authorization: Bearer " + token + "\r\n";
  }
  // Whether a control route did anything.
  bool untouched() const {
    return broker_.role() == Role::kMaster && broker_.followed().empty() &&
           broker_.options().empty() && !broker_.forced();
  }
  void expect_json_error(const std::string& answer, int status, const std::string& code) const {
    EXPECT_EQ(status_of(answer), status) << answer;
    EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(body_of(answer), HasSubstr("{\"error\":{\"code\":\"" + code + "\",\"message\":\""));
    const bool asks = answer.find("\r\nWWW-Authenticate: Bearer\r\n") != std::string::npos;
    EXPECT_EQ(asks, status == 401) << answer;
  }

  SecretFile control_;
  SecretFile client_;
};

TEST_F(AccessTest, WithoutFilesThisMachineMayDoEverything) {
  for (const auto* routes : {&kControlRoutes, &kDataRoutes, &kOpenRoutes}) {
    for (const auto& route : *routes) {
      EXPECT_EQ(status_of(send(route, "")), 200) << route.method << " " << route.target;
      EXPECT_EQ(status_of(send(route, bearer("anything"))), 200) << route.target;
    }
  }
}

TEST_F(AccessTest, ControlNeedsItsToken) {
  guard();
  for (const auto& route : kControlRoutes) {
    SCOPED_TRACE(route.method + " " + route.target);
    const auto without = send(route, "");
    expect_json_error(without, 401, "UNAUTHORIZED");
    EXPECT_THAT(without, HasSubstr("needs a token; send 'Authorization: Bearer TOKEN'"));
    expect_json_error(send(route, bearer(kClient)), 403, "FORBIDDEN");
    EXPECT_TRUE(untouched());
  }
  for (const auto& route : kControlRoutes) {
    EXPECT_EQ(status_of(send(route, bearer(kControl))), 200) << route.target;
  }
}

TEST_F(AccessTest, TheRestStaysOpen) {
  guard();
  for (const auto* routes : {&kDataRoutes, &kOpenRoutes}) {
    for (const auto& route : *routes) {
      EXPECT_EQ(status_of(send(route, "")), 200) << route.method << " " << route.target;
    }
  }
}

TEST_F(AccessTest, DataNeedsATokenWhenThereIsAClientFile) {
  guard(true, true);
  for (const auto& route : kDataRoutes) {
    SCOPED_TRACE(route.method + " " + route.target);
    EXPECT_EQ(status_of(send(route, "")), 401);
    EXPECT_EQ(status_of(send(route, bearer("wrong-token-0123456789"))), 403);
    EXPECT_EQ(status_of(send(route, bearer(kClient))), 200);
    EXPECT_EQ(status_of(send(route, bearer(kControl))), 200);
  }
  EXPECT_EQ(broker_.produced().size(), 2u);
  for (const auto& route : kOpenRoutes) EXPECT_EQ(status_of(send(route, "")), 200) << route.target;
  const auto answer = send(kControlRoutes[0], bearer(kClient));
  expect_json_error(answer, 403, "FORBIDDEN");
  EXPECT_THAT(answer, HasSubstr("needs a token of the control file; this one is of the client"));
}

TEST_F(AccessTest, AClientFileAloneLeavesControlToThisMachine) {
  guard(false, true);
  EXPECT_EQ(status_of(send(kControlRoutes[0], "")), 200);
  EXPECT_EQ(status_of(send(kDataRoutes[0], "")), 401);
  EXPECT_EQ(status_of(send(kDataRoutes[0], bearer(kClient))), 200);
}

TEST_F(AccessTest, TheFieldsSpellingIsHttps) {
  guard();
  for (const auto& fields :
       {"Authorization: Bearer "s, "authorization: Bearer "s, "AUTHORIZATION: Bearer "s,
        "Authorization:Bearer "s, "Authorization:   \t Bearer "s, "Authorization: bearer "s,
        "Authorization: BEARER "s, "Authorization: Bearer    "s}) {
    EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, fields + kControl + "\r\n")), 200) << fields;
    EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, fields + kControl + " \t\r\n")), 200);
  }
}

TEST_F(AccessTest, WhatIsNotABearerTokenDoesNotCount) {
  guard();
  for (const auto& value :
       {""s, "Bearer"s, "Bearer "s, "Bearer    "s, kControl, "Basic " + kControl,
        "Bearer:" + kControl, "Bearer\t" + kControl, "Bearer=" + kControl, "\"Bearer\" " + kControl,
        "Token " + kControl, "Bearerx " + kControl}) {
    const auto answer = send({"POST", "/v1/promote"}, "Authorization: " + value + "\r\n");
    expect_json_error(answer, 401, "UNAUTHORIZED");
    EXPECT_THAT(answer, Not(HasSubstr(kControl))) << "an answer shows the token";
  }
  for (const auto& value :
       {"x"s, kControl + kControl, kControl + " x", kControl + ",", "\"" + kControl + "\"",
        "token=" + kControl, "caf\xE9"s, "\xC3\xA9\xC3\xA9"s, kControl.substr(1),
        "control-token-012345678"s, "CONTROL-TOKEN-0123456789"s, std::string(4000, 'x')}) {
    const auto answer = send({"POST", "/v1/promote"}, bearer(value));
    expect_json_error(answer, 403, "FORBIDDEN");
    EXPECT_THAT(answer, Not(HasSubstr(kControl))) << "an answer shows the token";
  }
  EXPECT_TRUE(untouched());
}

TEST_F(AccessTest, WhatIsNotHttpIsRefusedAsThat) {
  guard();
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, bearer(std::string(65'536, 'x')))), 431);
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, bearer(kControl + "\0"s))), 400);
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, bearer("\0"s + kControl))), 400);
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, bearer(kControl) + bearer(kControl))), 400);
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, bearer("x") + bearer(kControl))), 400);
  EXPECT_EQ(status_of(send({"GET", "/v1/status"}, bearer("x") + bearer("y"))), 400);
  EXPECT_TRUE(untouched());
}

TEST_F(AccessTest, AFoldedFieldIsOneFieldOrNone) {
  guard();
  const auto answer =
      send({"POST", "/v1/promote"}, "Authorization: Bearer\r\n " + kControl + "\r\n");
  EXPECT_THAT(status_of(answer), testing::AnyOf(200, 400)) << answer;  // RFC 9112, 5.2
  const auto after =
      send({"POST", "/v1/demote"}, "X: y\r\n Authorization: Bearer " + kControl + "\r\n");
  EXPECT_THAT(status_of(after), testing::AnyOf(400, 401)) << after;
}

TEST_F(AccessTest, ATokenElsewhereDoesNotCount) {
  guard();
  for (const auto& target :
       {"/v1/promote?token=" + kControl, "/v1/promote?access_token=" + kControl,
        "/v1/promote?Authorization=Bearer%20" + kControl,
        "http://x:" + kControl + "@h/v1/promote"}) {
    EXPECT_THAT(status_of(send({"POST", target}, "")), testing::AnyOf(400, 401)) << target;
  }
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, "Cookie: token=" + kControl + "\r\n")), 401);
  EXPECT_EQ(status_of(send({"POST", "/v1/promote"}, "X-Token: " + kControl + "\r\n")), 401);
  EXPECT_EQ(
      status_of(send({"POST", "/v1/promote"}, "Proxy-Authorization: Bearer " + kControl + "\r\n")),
      401);
  EXPECT_EQ(status_of(send({"POST", "/v1/follow", "{\"token\":\"" + kControl + "\"}"}, "")), 401);
  EXPECT_TRUE(untouched());
}

TEST_F(AccessTest, EverySpellingOfAPathIsJudged) {
  guard();
  for (const auto* target : {"/v1/promot%65", "/v1/%70romote", "/%761/promote", "/v1/promote?",
                             "/v1/promote?&", "http://h/v1/promote", "/v1/promote?force=true"}) {
    EXPECT_EQ(status_of(send({"POST", target}, "")), 401) << target;
  }
  for (const auto* target :
       {"/v1/promote/", "//v1/promote", "/v1//promote", "/v1/./promote", "/v1/x/../promote",
        "/V1/PROMOTE", "/v1%2Fpromote", "/v1/promote%00", "/v1/promote;x", "/v1/promote%20"}) {
    EXPECT_THAT(status_of(send({"POST", target}, "")), testing::AnyOf(400, 404)) << target;
  }
  EXPECT_EQ(status_of(send({"PUT", "/v1/option%73/allow", R"({"value":"x"})"}, "")), 401);
  EXPECT_TRUE(untouched());
}

TEST_F(AccessTest, OtherMethodsDoNothing) {
  guard();
  for (const auto* method : {"GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "post", "PUT"}) {
    const auto answer = send({method, "/v1/promote"}, "");
    EXPECT_EQ(status_of(answer), 405) << method;
    EXPECT_THAT(answer, HasSubstr("\r\nAllow: POST\r\n")) << method;
  }
  EXPECT_TRUE(untouched());
}

TEST_F(AccessTest, EachRequestOfAConnectionIsJudgedByItself) {
  guard();
  auto socket = raw();
  socket.send(request("POST", "/v1/promote?force=1", "", bearer(kControl)) +
              request("POST", "/v1/demote") +
              request("POST", "/v1/demote", "", bearer("wrong-token-0123456789")) +
              request("GET", "/healthz") + request("POST", "/v1/demote", "", bearer(kControl)));
  for (const int status : {200, 401, 403, 200, 200}) {
    EXPECT_EQ(status_of(socket.read_answer()), status);
  }
  EXPECT_TRUE(broker_.forced());
  EXPECT_EQ(broker_.role(), Role::kSlave);
}

TEST_F(AccessTest, ARefusalDoesNotWaitForAPromotion) {
  guard();
  broker_.block_promote(true);
  auto slow = raw();
  slow.send(request("POST", "/v1/promote", "", bearer(kControl)));
  ASSERT_TRUE(broker_.await_promoting());
  EXPECT_EQ(status_of(send({"POST", "/v1/demote"}, "")), 401);
  broker_.block_promote(false);
  EXPECT_EQ(status_of(slow.read_answer()), 200);
}

TEST_F(AccessTest, AStrangersBodyIsNotReadFirst) {
  guard(true, true);
  for (const auto* head : {"POST /v1/topics/t/messages", "PUT /v1/options/x", "POST /v1/follow"}) {
    auto socket = raw();
    socket.send(std::string(head) +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\nExpect: 100-continue\r\n\r\n");
    const auto answer = socket.read_answer();
    EXPECT_EQ(status_of(answer), 401) << answer;  // and no "100 Continue" before it
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
  }
  auto chunked = raw();
  chunked.send("POST /v1/follow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(status_of(chunked.read_answer()), 401);
}

TEST_F(AccessTest, ATokenIsReplacedWhileTheBrokerRuns) {
  guard();
  auto socket = raw();
  const auto demote_with = [&](const std::string& token) {
    socket.send(request("POST", "/v1/demote", "", bearer(token)));
    return status_of(socket.read_answer());
  };
  const std::string next = "next-token-0123456789";
  EXPECT_EQ(demote_with(kControl), 200);
  control_.write(kControl + "\n" + next + "\n");
  EXPECT_EQ(demote_with(kControl), 200);
  EXPECT_EQ(demote_with(next), 200);
  control_.write(next + "\n");
  EXPECT_EQ(demote_with(kControl), 403);
  EXPECT_EQ(demote_with(next), 200);
  control_.write("");
  EXPECT_EQ(demote_with(next), 200);
}

TEST_F(AccessTest, ABadFileEndsTheStart) {
  control_.write("short");
  http::ServerOptions options;
  options.listen = "127.0.0.1:0";
  for (auto* path : {&options.access.control_token_file, &options.access.client_token_file}) {
    options.access = {};
    *path = control_.path();
    const auto bound = http::Server::bind(options);
    ASSERT_TRUE(std::holds_alternative<Error>(bound));
    EXPECT_THAT(std::get<Error>(bound).text, HasSubstr("-token-file: '" + control_.path() +
                                                       "' is not a token file: line 1 is 5"));
  }
}

TEST_F(AccessTest, RefusalsAreCountedAndSaidInTheLogOnce) {
  guard();
  testing::internal::CaptureStdout();  // spdlog's default logger
  for (int i = 0; i < 5; ++i) {
    send({"POST", "/v1/promote?token=" + kControl}, "");
    send({"POST", "/v1/promote"}, bearer(kClient));
  }
  const std::string log = testing::internal::GetCapturedStdout();
  EXPECT_THAT(log, testing::ContainsRegex(
                       "http: refused POST /v1/promote from 127.0.0.1:[0-9]+: no token"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_THAT(log, Not(HasSubstr(kControl)));
  EXPECT_THAT(log, Not(HasSubstr(kClient)));
  EXPECT_THAT(
      call("GET", "/v1/status").body,
      HasSubstr(R"("refused":{"not_local":0,"no_certificate":0,"no_token":5,"wrong_token":5})"));
}

TEST_F(AccessTest, TheClientSendsItsToken) {
  guard();
  const auto address = std::get<http::HostPort>(http::parse_host_port(server_->address(), "s"));
  http::Client with(address, {.token = kControl});
  for (int i = 0; i < 2; ++i) {
    const auto answer = with.call({"POST", "/v1/demote"}, kPatience);
    ASSERT_TRUE(std::holds_alternative<http::ClientResponse>(answer));
    EXPECT_EQ(std::get<http::ClientResponse>(answer).status, 200);
  }
  EXPECT_EQ(call("POST", "/v1/demote").status, 401);
}

// Without a token file. Behind a proxy on this machine everybody comes from it, and so does a web
// page in a browser on it.
TEST_F(AccessTest, WhatAProxyOrABrowserSendsIsNotThisMachines) {
  for (const auto* field :
       {"X-Forwarded-For: 10.0.0.1", "x-forwarded-for: 10.0.0.1", "Forwarded: for=10.0.0.1",
        "X-Real-IP: 10.0.0.1", "Via: 1.1 proxy", "Origin: http://evil.test", "Origin: null",
        "Sec-Fetch-Site: cross-site", "Referer: http://evil.test/", "X-Forwarded-Host: h"}) {
    for (const auto& route : kControlRoutes) {
      const auto answer = send(route, field + "\r\n"s);
      expect_json_error(answer, 403, "FORBIDDEN");
      EXPECT_THAT(answer, HasSubstr("says that a proxy or a web page sent this")) << field;
    }
    EXPECT_EQ(status_of(send({"GET", "/v1/status"}, field + "\r\n"s)), 200);
  }
  EXPECT_TRUE(untouched());
  guard();
  EXPECT_EQ(
      status_of(send({"POST", "/v1/promote"}, "X-Forwarded-For: 10.0.0.1\r\n" + bearer(kControl))),
      200);
}

TEST_F(AccessTest, AMappedLoopbackAddressIsThisMachine) {
  serve({}, "[::]:0");
  if (!server_) GTEST_SKIP() << "no IPv6 here";
  const auto port = server_->address().substr(server_->address().rfind(':'));
  for (const std::string host : {"127.0.0.1", "127.8.9.10", "[::1]"}) {
    RawSocket socket(host + port);
    if (!socket.connected()) continue;
    socket.send(request("POST", "/v1/promote"));
    EXPECT_EQ(status_of(socket.read_answer()), 200) << host;
  }
}

bool is_loopback(const std::string& address) {
  return http::peer_of({boost::asio::ip::make_address(address), 7}).loopback;
}

TEST(Peers, LoopbackIsThisMachineAndNothingElse) {
  for (const auto* here : {"127.0.0.1", "127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1",
                           "::ffff:127.9.9.9"}) {
    EXPECT_TRUE(is_loopback(here)) << here;
  }
  for (const auto* other : {"10.0.0.7", "0.0.0.0", "128.0.0.1", "126.255.255.255", "::", "::2",
                            "::127.0.0.1", "::ffff:10.0.0.7", "::ffff:0:127.0.0.1",
                            "64:ff9b::127.0.0.1", "fe80::1%1", "fe80::1", "fd00::1", "1::1"}) {
    EXPECT_FALSE(is_loopback(other)) << other;
  }
  EXPECT_EQ(http::peer_of({boost::asio::ip::make_address("::ffff:10.0.0.7"), 7}).address,
            "10.0.0.7:7");
  EXPECT_EQ(http::peer_of({boost::asio::ip::make_address("fd00::1"), 7}).address, "[fd00::1]:7");
}

TEST(Peers, OthersGetNoControlWithoutATokenFileAndLearnTheWayOut) {
  http::Access access;
  http::Request promote;
  promote.method = "POST";
  promote.authorization = "Bearer " + kControl;
  const http::Peer other{.address = "10.0.0.7:51234"};
  const auto refused = access.refuse(Need::kControl, "/v1/promote", promote, other);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_THAT(refused->body,
              HasSubstr("POST /v1/promote is answered only to clients on this machine, over "
                        "127.0.0.1 or ::1; this one is 10.0.0.7:51234; start `ha_stub serve` with "
                        "--control-token-file FILE and send a token"));
  EXPECT_FALSE(access.refuse(Need::kData, "/v1/topics/*/messages", promote, other));
  EXPECT_FALSE(access.refuse(Need::kNothing, "/v1/status", promote, other));
  EXPECT_FALSE(access.refuse(Need::kControl, "/v1/promote", promote,
                             {.address = "127.0.0.1:1", .loopback = true}));
  EXPECT_EQ(access.refused_json(),
            R"({"not_local":1,"no_certificate":0,"no_token":0,"wrong_token":0})");
}

TEST(Peers, WithATokenFileOnlyTheTokenCounts) {
  SecretFile file;
  file.write(kControl);
  auto opened = http::Access::open({.control_token_file = file.path()});
  auto& access = *std::get<std::unique_ptr<http::Access>>(opened);
  http::Request promote;
  promote.method = "POST";
  EXPECT_EQ(access
                .refuse(Need::kControl, "/v1/promote", promote,
                        {.address = "127.0.0.1:1", .loopback = true})
                ->status,
            401);
  promote.authorization = "Bearer " + kControl;
  EXPECT_FALSE(access.refuse(Need::kControl, "/v1/promote", promote, {.address = "10.0.0.7:1"}));
}

}  // namespace
}  // namespace stub::test
