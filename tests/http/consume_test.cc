// SPDX-License-Identifier: Apache-2.0
// GET /v1/topics/{topic}/messages, long polling and group offsets.

#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Consume : public HttpTest {
 protected:
  void store(const std::string& body, int queue = 0, const std::string& key = "") {
    ProduceRequest one;
    one.topic = "t";
    one.items = {{body, key}};
    one.queue = queue;
    broker_.produce(std::move(one), [](const ProduceResult&) {});
  }
};

TEST_F(Consume, GivesMessagesWithTheirPlaces) {
  store("a\n", 0, "k");
  store("\xFF", 2);
  EXPECT_EQ(
      call("GET", "/v1/topics/t/messages").body,
      "{\"messages\":[{\"offset\":0,\"queue\":0,\"queue_offset\":0,"
      "\"store_time_ms\":0,\"key\":\"k\",\"body\":\"a\\n\"},"
      "{\"offset\":100,\"queue\":2,\"queue_offset\":0,"
      "\"store_time_ms\":0,\"body_base64\":\"/w==\"}],\"first\":0,\"next\":200,\"end\":200}\n");
}

TEST_F(Consume, ReadsFromALogOffsetOrAQueueOffset) {
  for (int i = 0; i < 6; ++i) store(std::to_string(i), i % 2);
  EXPECT_THAT(call("GET", "/v1/topics/t/messages?from=400&max=1").body,
              testing::AllOf(HasSubstr("\"body\":\"4\""), HasSubstr("\"next\":500,\"end\":600")));
  EXPECT_THAT(call("GET", "/v1/topics/t/messages?queue=1&from=2").body,
              testing::AllOf(HasSubstr("\"body\":\"5\""), HasSubstr("\"next\":3,\"end\":3")));
  EXPECT_EQ(call("GET", "/v1/topics/none/messages").body,
            "{\"messages\":[],\"first\":0,\"next\":600,\"end\":600}\n");
}

TEST_F(Consume, AReaderIsToldWhatItSkippedWithoutWaiting) {
  for (int i = 0; i < 4; ++i) store(std::to_string(i));
  broker_.trim(200);
  EXPECT_THAT(call("GET", "/v1/topics/t/messages?from=0&max=1").body,
              testing::AllOf(HasSubstr("\"body\":\"2\""),
                             HasSubstr("\"first\":200,\"next\":300,\"end\":400,"
                                       "\"skipped\":{\"from\":0,\"to\":200}}")));
  // Where the held part begins is no skip.
  EXPECT_THAT(call("GET", "/v1/topics/t/messages").body, Not(HasSubstr("skipped")));
  broker_.trim(400);
  EXPECT_EQ(call("GET", "/v1/topics/t/messages?queue=0&from=1&wait_ms=60000").body,
            "{\"messages\":[],\"first\":4,\"next\":4,\"end\":4,"
            "\"skipped\":{\"from\":1,\"to\":4}}\n");
}

TEST_F(Consume, ACursorBeyondTheEndStaysWhereItIs) {
  store("x");
  EXPECT_EQ(call("GET", "/v1/topics/t/messages?from=900").body,
            "{\"messages\":[],\"first\":0,\"next\":900,\"end\":100}\n");
}

TEST_F(Consume, RefusesBadParameters) {
  const auto refusal = [&](const std::string& query) {
    const auto answer = call("GET", "/v1/topics/t/messages" + query);
    EXPECT_EQ(answer.status, 400);
    return answer.body;
  };
  EXPECT_THAT(refusal("?from=-1"), HasSubstr("'from': '-1'"));
  EXPECT_THAT(refusal("?max=0"), HasSubstr("'max': '0'"));
  EXPECT_THAT(refusal("?wait_ms=60001"), HasSubstr("from 0 to 60000"));
  EXPECT_THAT(refusal("?group=g"), HasSubstr("'group' needs 'queue'"));
  EXPECT_THAT(refusal("?queue=x"), HasSubstr("queue 'x'"));
}

TEST_F(Consume, LongPollWakesWhenAMessageComes) {
  store("old");
  auto waiting = client();
  ASSERT_FALSE(std::holds_alternative<Error>(
      waiting.send({"GET", "/v1/topics/t/messages?from=100&wait_ms=60000"}, kPatience)));
  ASSERT_TRUE(broker_.await_waiting(1));
  store("new");
  const auto answer = waiting.receive(kPatience);
  ASSERT_FALSE(std::holds_alternative<Error>(answer)) << std::get<Error>(answer).text;
  EXPECT_THAT(std::get<http::ClientResponse>(answer).body, HasSubstr("\"body\":\"new\""));
  EXPECT_TRUE(broker_.await_waiting(0));
}

TEST_F(Consume, LongPollAnswersAtOnceWhenThereIsSomething) {
  store("x");
  EXPECT_THAT(call("GET", "/v1/topics/t/messages?wait_ms=60000").body, HasSubstr("\"body\":\"x\""));
}

TEST_F(Consume, LongPollEndsEmptyAfterItsTime) {
  const auto answer = call("GET", "/v1/topics/t/messages?wait_ms=20");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"messages\":[],\"first\":0,\"next\":0,\"end\":0}\n");
  EXPECT_TRUE(broker_.await_waiting(0));
}

TEST_F(Consume, LongPollEndsWithItsClient) {
  {
    auto socket = raw();
    socket.send(request("GET", "/v1/topics/t/messages?wait_ms=60000"));
    ASSERT_TRUE(broker_.await_waiting(1));
  }
  EXPECT_TRUE(broker_.await_waiting(0));
}

TEST_F(Consume, LongPollIsAnsweredAfterTheClientShutItsSide) {
  auto socket = raw();
  socket.send(request("GET", "/v1/topics/t/messages?wait_ms=60000"));
  ASSERT_TRUE(broker_.await_waiting(1));
  socket.shut_sending();
  EXPECT_EQ(status_of(socket.read_answer()), 200);
}

TEST_F(Consume, ManyLongPollsWakeTogether) {
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 200; ++i) {
    sockets.push_back(raw());
    sockets.back().send(request("GET", "/v1/topics/t/messages?wait_ms=60000"));
  }
  ASSERT_TRUE(broker_.await_waiting(sockets.size()));
  store("x");
  for (auto& socket : sockets) EXPECT_THAT(socket.read_answer(), HasSubstr("\"body\":\"x\""));
}

TEST_F(Consume, GroupOffsetsAreKeptPerQueue) {
  const std::string path = "/v1/groups/g%201/topics/t/queues/1/offset";
  EXPECT_EQ(call("GET", path).body,
            "{\"group\":\"g 1\",\"topic\":\"t\",\"queue\":1,\"next\":-1}\n");
  EXPECT_EQ(call("PUT", path, "{\"next\":2}").body,
            "{\"group\":\"g 1\",\"topic\":\"t\",\"queue\":1,\"next\":2}\n");
  EXPECT_THAT(call("GET", path).body, HasSubstr("\"next\":2"));
  for (int i = 0; i < 4; ++i) store(std::to_string(i), 1);
  EXPECT_THAT(call("GET", "/v1/topics/t/messages?group=g%201&queue=1&max=1").body,
              HasSubstr("\"body\":\"2\""));
  EXPECT_THAT(call("GET", "/v1/topics/t/messages?group=new&queue=1&max=1").body,
              HasSubstr("\"body\":\"0\""));
}

TEST_F(Consume, GroupOffsetsAreDeleted) {
  const auto put = [&](const std::string& topic, int queue) {
    call("PUT", "/v1/groups/g/topics/" + topic + "/queues/" + std::to_string(queue) + "/offset",
         "{\"next\":0}");
  };
  put("a", 0);
  put("a", 1);
  put("b", 0);
  EXPECT_EQ(call("DELETE", "/v1/groups/g/topics/a").body,
            "{\"group\":\"g\",\"topic\":\"a\",\"deleted\":2}\n");
  EXPECT_EQ(call("DELETE", "/v1/groups/g").body, "{\"group\":\"g\",\"deleted\":1}\n");
  EXPECT_EQ(call("DELETE", "/v1/groups/g").status, 200);
  EXPECT_EQ(call("DELETE", "/v1/groups/g?x=1").status, 400);
  EXPECT_EQ(call("GET", "/v1/groups/g").allow, "DELETE");
}

TEST_F(Consume, RefusesBadGroupOffsets) {
  const std::string path = "/v1/groups/g/topics/t/queues/1/offset";
  for (const auto* body :
       {"", "3", "{}", "{\"next\":-1}", "{\"next\":1.5}", "{\"next\":1,\"x\":2}"}) {
    const auto answer = call("PUT", path, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr("{\\\"next\\\":N}"));
  }
  EXPECT_EQ(call("PUT", "/v1/groups/g/topics/t/queues/x/offset", "{\"next\":1}").status, 400);
  EXPECT_THAT(call("GET", path).body, HasSubstr("\"next\":-1"));
}

}  // namespace
}  // namespace stub::test
