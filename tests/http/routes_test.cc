// SPDX-License-Identifier: Apache-2.0
// Paths and methods, health, metrics, and the operator's commands.

#include "ha/plugin.h"
#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Routes : public HttpTest {};

TEST_F(Routes, UnknownPathsAreNamed) {
  const auto answer = call("GET", "/v1/topic/x?a=b");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body,
              HasSubstr("no such path: '/v1/topic/x?a=b' (known: /v1/topics/*/messages"));
  EXPECT_EQ(call("GET", "/").status, 404);
  EXPECT_EQ(call("GET", "/v1/status/").status, 404);
  EXPECT_EQ(call("GET", "/v1//status").status, 404);
}

TEST_F(Routes, WrongMethodsTellTheRightOnes) {
  const auto answer = call("DELETE", "/v1/topics/t/messages");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.allow, "POST, GET, HEAD");
  EXPECT_THAT(answer.body, HasSubstr("'DELETE' is not for '/v1/topics/t/messages'"));
  EXPECT_EQ(call("GET", "/v1/promote").allow, "POST");
}

TEST_F(Routes, HeadAnswersWithoutABody) {
  auto socket = raw();
  socket.send(request("HEAD", "/healthz", "", "Connection: close\r\n"));
  const auto answer = socket.read_all();
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_THAT(answer, HasSubstr("Content-Length: 16\r\n"));
  EXPECT_EQ(body_of(answer), "");
}

TEST_F(Routes, TopicsArePercentDecoded) {
  call("POST", "/v1/topics/%25RETRY%25a%2Fb/messages", "x", "text/plain");
  ASSERT_EQ(broker_.produced().size(), 1u);
  EXPECT_EQ(broker_.produced()[0].topic, "%RETRY%a/b");
}

TEST_F(Routes, HealthIsAboutTheProcessAndReadinessAboutTheRole) {
  EXPECT_EQ(call("GET", "/healthz").status, 200);
  EXPECT_EQ(call("GET", "/readyz").status, 200);
  broker_.set_not_ready("follows nobody; POST /v1/follow names a master");
  EXPECT_EQ(call("GET", "/healthz").status, 200);
  const auto answer = call("GET", "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("follows nobody"));
}

TEST_F(Routes, StatusAndMetricsComeFromTheBroker) {
  EXPECT_EQ(call("GET", "/v1/status").body,
            "{\"role\":\"master\",\"http\":{\"refused\":"
            "{\"not_local\":0,\"no_certificate\":0,\"no_token\":0,\"wrong_token\":0}}}\n");
  const auto metrics = call("GET", "/metrics");
  EXPECT_EQ(metrics.body, broker_.metrics_text());
  EXPECT_THAT(metrics.content_type, HasSubstr("text/plain; version=0.0.4"));
}

TEST_F(Routes, FollowNamesAMaster) {
  const auto answer = call("POST", "/v1/follow", R"({"master":"10.0.0.1:10912"})");
  EXPECT_EQ(answer.body, "{\"status\":\"OK\",\"role\":\"slave\",\"master\":\"10.0.0.1:10912\"}\n");
  EXPECT_EQ(broker_.followed(), "10.0.0.1:10912");
}

TEST_F(Routes, FollowRefusesWhatIsNotAnAddress) {
  for (const auto* body : {"", "{}", R"({"master":7})", R"({"master":"a"})", R"({"master":"a:0"})",
                           R"({"master":"a:1","x":1})"}) {
    EXPECT_EQ(call("POST", "/v1/follow", body).status, 400) << body;
  }
  EXPECT_EQ(broker_.followed(), "");
}

TEST_F(Routes, PromotionMayBeForcedAndTakenBack) {
  EXPECT_EQ(call("POST", "/v1/promote").status, 200);
  EXPECT_FALSE(broker_.forced());
  EXPECT_EQ(call("POST", "/v1/promote?force=true").status, 200);
  EXPECT_TRUE(broker_.forced());
  EXPECT_EQ(call("POST", "/v1/promote?forced=true").status, 400);
  const auto demoted = call("POST", "/v1/demote");
  EXPECT_EQ(demoted.status, 200);
  EXPECT_EQ(demoted.body, "{\"status\":\"OK\",\"role\":\"slave\"}\n");
}

TEST_F(Routes, OptionsAreSetByName) {
  const auto answer = call("PUT", "/v1/options/allow", R"({"value":"10.0.0.0/8"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"status\":\"OK\",\"option\":\"allow\",\"value\":\"10.0.0.0/8\"}\n");
  EXPECT_EQ(call("PUT", "/v1/options/replica%5Fid", R"({"value":""})").status, 200);
  EXPECT_THAT(broker_.options(), testing::UnorderedElementsAre(testing::Pair("allow", "10.0.0.0/8"),
                                                               testing::Pair("replica_id", "")));
  EXPECT_EQ(call("GET", "/v1/options/allow").allow, "PUT");
}

TEST_F(Routes, ABadValueIsNamedWithItsOption) {
  for (const auto* body : {"", "{}", "7", R"({"value":7})", R"({"value":"7","x":1})"}) {
    const auto answer = call("PUT", "/v1/options/heartbeat_ms", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr("option 'heartbeat_ms': the body '")) << body;
  }
  EXPECT_EQ(call("PUT", "/v1/options/heartbeat_ms?value=7", R"({"value":"7"})").status, 400);
  EXPECT_TRUE(broker_.options().empty());
}

TEST_F(Routes, APluginsRefusalOfAnOptionKeepsItsWords) {
  broker_.refuse_options(HA_INVALID, "option 'a': 'b' is no c (try d)");
  const auto invalid = call("PUT", "/v1/options/a", R"({"value":"b"})");
  EXPECT_EQ(invalid.status, 400);
  EXPECT_THAT(invalid.body, HasSubstr(R"("code":"INVALID","message":"option 'a': 'b' is no c)"));
  broker_.refuse_options(HA_STATE, "option 'a' cannot change");
  EXPECT_EQ(call("PUT", "/v1/options/a", R"({"value":"b"})").status, 409);
}

TEST_F(Routes, ASlowPromotionHoldsUpNoOtherClient) {
  serve({.threads = 1});
  broker_.block_promote(true);
  auto operator_client = client();
  ASSERT_FALSE(
      std::holds_alternative<Error>(operator_client.send({"POST", "/v1/promote"}, kPatience)));
  ASSERT_TRUE(broker_.await_promoting());
  EXPECT_EQ(call("GET", "/healthz").status, 200);
  broker_.block_promote(false);
  const auto answer = operator_client.receive(kPatience);
  ASSERT_FALSE(std::holds_alternative<Error>(answer));
  EXPECT_EQ(std::get<http::ClientResponse>(answer).body,
            "{\"status\":\"OK\",\"role\":\"master\"}\n");
}

}  // namespace
}  // namespace stub::test
