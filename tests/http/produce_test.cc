// SPDX-License-Identifier: Apache-2.0
// POST /v1/topics/{topic}/messages: what reaches the broker, and how its answer is told.

#include "ha/plugin.h"
#include "http/fixture.h"

using namespace std::string_literals;

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Produce : public HttpTest {
 protected:
  // Sends and gives back the one request that reached the broker.
  ProduceRequest sent(const std::string& target, const std::string& body,
                      const std::string& content_type) {
    const auto before = broker_.produced().size();
    const auto answer = call("POST", target, body, content_type);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto all = broker_.produced();
    EXPECT_EQ(all.size(), before + 1);
    return all.size() == before + 1 ? all.back() : ProduceRequest{};
  }
  std::string refusal(const std::string& query, const std::string& body = "x",
                      const std::string& content_type = "text/plain") {
    const auto answer = call("POST", "/v1/topics/t/messages" + query, body, content_type);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("{\"error\":{\"code\":\"INVALID\",\"message\":\""));
    EXPECT_TRUE(broker_.produced().empty());
    return answer.body;
  }
};

TEST_F(Produce, TakesARawBodyAsOneMessage) {
  const auto got =
      sent("/v1/topics/orders/messages?key=k%20%C3%A9&queue=3&acks=2&timeout_ms=250&delay_ms=9",
           "line\nline\n\xFF\x00"s, "application/octet-stream");
  EXPECT_EQ(got.topic, "orders");
  ASSERT_EQ(got.items.size(), 1u);
  EXPECT_EQ(got.items[0].body, "line\nline\n\xFF\x00"s);
  EXPECT_EQ(got.items[0].key, "k \xC3\xA9");
  EXPECT_EQ(got.queue, 3);
  EXPECT_EQ(got.acks, 2);
  EXPECT_EQ(got.timeout_ms, 250);
  EXPECT_EQ(got.delay_ms, 9);
}

TEST_F(Produce, TakesAnEmptyRawBodyAsAnEmptyMessage) {
  const auto got = sent("/v1/topics/t/messages", "", "text/plain");
  ASSERT_EQ(got.items.size(), 1u);
  EXPECT_EQ(got.items[0].body, "");
  EXPECT_EQ(got.acks, HA_ACKS_DEFAULT);
  EXPECT_EQ(got.timeout_ms, 3000);
  EXPECT_EQ(got.queue, std::nullopt);
}

TEST_F(Produce, TakesOneMessageAsJson) {
  const auto got = sent("/v1/topics/t/messages", R"({"body":"h\u00e9","key":"k"})",
                        "application/json; charset=utf-8");
  ASSERT_EQ(got.items.size(), 1u);
  EXPECT_EQ(got.items[0].body, "h\xC3\xA9");
  EXPECT_EQ(got.items[0].key, "k");
}

TEST_F(Produce, TakesSeveralMessagesAsJsonInOrder) {
  const auto got =
      sent("/v1/topics/t/messages",
           R"({"messages":[{"body":"a"},{"body_base64":"//4A","key":"2"},{"body":""}]})",
           "application/json");
  ASSERT_EQ(got.items.size(), 3u);
  EXPECT_EQ(got.items[0].body, "a");
  EXPECT_EQ(got.items[1].body, "\xFF\xFE\x00"s);
  EXPECT_EQ(got.items[1].key, "2");
  EXPECT_EQ(got.items[2].body, "");
}

TEST_F(Produce, TakesALineEach) {
  const auto got = sent("/v1/topics/t/messages?lines=1&key=k", "a\n\n\xFF\r\nb", "text/plain");
  ASSERT_EQ(got.items.size(), 4u);
  EXPECT_EQ(got.items[0].body, "a");
  EXPECT_EQ(got.items[1].body, "");
  EXPECT_EQ(got.items[2].body, "\xFF\r");
  EXPECT_EQ(got.items[3].body, "b");
  EXPECT_EQ(got.items[3].key, "k");
  EXPECT_EQ(sent("/v1/topics/t/messages?lines=1", "a\nb\n", "text/plain").items.size(), 2u);
  EXPECT_EQ(sent("/v1/topics/t/messages?lines=1", "\n", "text/plain").items.size(), 1u);
}

TEST_F(Produce, NamesAcksByNumberOrWord) {
  const auto acks = [&](const std::string& value) {
    return sent("/v1/topics/t/messages?acks=" + value, "x", "text/plain").acks;
  };
  EXPECT_EQ(acks("all"), HA_ACKS_ALL_IN_SYNC);
  EXPECT_EQ(acks("async"), 1);
  EXPECT_EQ(acks("default"), HA_ACKS_DEFAULT);
  EXPECT_EQ(acks("3"), 3);
}

TEST_F(Produce, RefusesBadParametersByNameAndValue) {
  EXPECT_THAT(refusal("?ack=2"), HasSubstr("query parameter 'ack' is unknown here (known: acks,"));
  EXPECT_THAT(refusal("?acks=2&acks=3"), HasSubstr("'acks' is given twice"));
  EXPECT_THAT(refusal("?acks=0"), HasSubstr("'acks': '0' must be a number of copies"));
  EXPECT_THAT(refusal("?acks=two"), HasSubstr("'acks': 'two' must be a number of copies"));
  EXPECT_THAT(refusal("?timeout_ms=3s"), HasSubstr("'timeout_ms': '3s' is not a whole number"));
  EXPECT_THAT(refusal("?timeout_ms=0"), HasSubstr("from 1 to"));
  EXPECT_THAT(refusal("?queue=-1"), HasSubstr("queue '-1' is not a whole number"));
  EXPECT_THAT(refusal("?delay_ms=99999999999999999999"), HasSubstr("'delay_ms'"));
  EXPECT_THAT(refusal("?key=%FF"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(refusal("?lines=yes"), HasSubstr("'lines': 'yes' is not 0 or 1"));
  EXPECT_THAT(refusal("?lines=1", ""), HasSubstr("holds no line"));
  EXPECT_THAT(refusal("?lines=1", "{}", "application/json"), HasSubstr("lines=1 is for bodies"));
  EXPECT_THAT(refusal("?key=k", R"({"body":""})", "application/json"),
              HasSubstr("into the message"));
}

TEST_F(Produce, RefusesBadJsonByWhatIsWrongWithIt) {
  const auto json = [&](const std::string& body) { return refusal("", body, "application/json"); };
  EXPECT_THAT(json(""), HasSubstr("the body is not JSON"));
  EXPECT_THAT(json("{\"body\":\"a\"} x"), HasSubstr("the body is not JSON"));
  EXPECT_THAT(json("{\"body\":\"\xFF\"}"), HasSubstr("the body is not JSON"));
  EXPECT_THAT(json("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(json("{}"), HasSubstr("neither body nor body_base64"));
  EXPECT_THAT(json(R"({"body":1})"), HasSubstr("'body' is not a string"));
  EXPECT_THAT(json(R"({"body":"a","body_base64":""})"), HasSubstr("both body and body_base64"));
  EXPECT_THAT(json(R"({"body_base64":"Zg"})"), HasSubstr("'Zg' is not base64"));
  EXPECT_THAT(json(R"({"bodi":"a"})"), HasSubstr("unknown member 'bodi'"));
  EXPECT_THAT(json(R"({"messages":[]})"), HasSubstr("a list of one or more"));
  EXPECT_THAT(json(R"({"messages":{}})"), HasSubstr("a list of one or more"));
  EXPECT_THAT(json(R"({"messages":[{"body":""}],"key":"k"})"), HasSubstr("only member"));
  EXPECT_THAT(json(R"({"messages":[{"body":""},7]})"),
              HasSubstr("messages[1] is not a JSON object"));
  EXPECT_THAT(json(std::string(100'000, '[')), HasSubstr("the body is not JSON"));
}

TEST_F(Produce, TellsWhereItWasStored) {
  const auto answer = call("POST", "/v1/topics/t/messages?lines=1", "a\nb\n", "text/plain");
  EXPECT_EQ(answer.body,
            "{\"status\":\"OK\",\"stored\":2,\"first_offset\":0,\"end_offset\":200}\n");
  EXPECT_EQ(answer.content_type, "application/json");
}

TEST_F(Produce, TellsFailuresApart) {
  const struct {
    std::int32_t status;
    int http;
    const char* code;
  } cases[] = {{HA_NOT_MASTER, 421, "NOT_MASTER"},
               {HA_SLAVE_NOT_AVAILABLE, 503, "SLAVE_NOT_AVAILABLE"},
               {HA_IN_SYNC_REPLICAS_NOT_ENOUGH, 503, "IN_SYNC_REPLICAS_NOT_ENOUGH"},
               {HA_IO, 503, "IO"},
               {HA_AGAIN, 503, "AGAIN"},
               {HA_SHUTDOWN, 503, "SHUTDOWN"},
               {HA_FLUSH_SLAVE_TIMEOUT, 504, "FLUSH_SLAVE_TIMEOUT"},
               {HA_INVALID, 400, "INVALID"},
               {-999, 500, "INTERNAL"}};
  for (const auto& one : cases) {
    broker_.set_result(one.status, "why \"so\"", 1);
    const auto answer = call("POST", "/v1/topics/t/messages?lines=1", "a\nb\n", "text/plain");
    EXPECT_EQ(answer.status, one.http) << one.code;
    EXPECT_THAT(answer.body, HasSubstr("{\"status\":\""s + one.code + "\",\"stored\":1,"));
    EXPECT_THAT(answer.body, HasSubstr("\"error\":{\"code\":\""s + one.code +
                                       "\",\"message\":\"why \\\"so\\\"\"}"));
  }
}

}  // namespace
}  // namespace stub::test
