// SPDX-License-Identifier: Apache-2.0
// Several requests on one connection: kept alive, in order, overlapping where that is safe.

#include "ha/plugin.h"
#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Pipelining : public HttpTest {
 protected:
  static std::string produce(const std::string& body) {
    return request("POST", "/v1/topics/t/messages", body);
  }
};

TEST_F(Pipelining, KeepsConnectionsAlive) {
  auto socket = raw();
  for (int i = 0; i < 3; ++i) {
    socket.send(request("GET", "/healthz"));
    EXPECT_EQ(status_of(socket.read_answer()), 200);
  }
  socket.send(request("GET", "/healthz", "", "Connection: close\r\n"));
  EXPECT_THAT(socket.read_all(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(socket.at_end());
}

TEST_F(Pipelining, ClosesAfterHttp10) {
  auto socket = raw();
  socket.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(status_of(socket.read_all()), 200);
  EXPECT_TRUE(socket.at_end());
}

TEST_F(Pipelining, AppendsWhileEarlierAnswersWait) {
  broker_.hold();
  auto socket = raw();
  socket.send(produce("a") + produce("b") + produce("c"));
  ASSERT_TRUE(broker_.await_held(3));
  const auto produced = broker_.produced();
  EXPECT_EQ(produced[0].items[0].body + produced[1].items[0].body + produced[2].items[0].body,
            "abc");
  // Answers keep the requests' order, whatever order the copies come in.
  broker_.release(2, HA_OK);
  broker_.release(1, HA_FLUSH_SLAVE_TIMEOUT);
  broker_.release(0, HA_OK);
  EXPECT_THAT(socket.read_answer(), HasSubstr("\"first_offset\":0,"));
  EXPECT_EQ(status_of(socket.read_answer()), 504);
  EXPECT_THAT(socket.read_answer(), HasSubstr("\"first_offset\":200,"));
}

TEST_F(Pipelining, OtherRequestsWaitForTheirTurn) {
  broker_.hold();
  auto socket = raw();
  socket.send(produce("a") +
              request("PUT", "/v1/groups/g/topics/t/queues/0/offset", "{\"next\":1}") +
              produce("b"));
  ASSERT_TRUE(broker_.await_held(1));
  // Had it not waited, this connection's request would have overtaken the held one by now: the
  // other connection's goes through the same loops after it.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(call("GET", "/healthz").status, 200);
  EXPECT_EQ(std::get<std::int64_t>(broker_.group_offset("g", "t", 0)), -1);
  EXPECT_EQ(broker_.held(), 1u);
  broker_.release(0);
  EXPECT_THAT(socket.read_answer(), HasSubstr("\"stored\":1"));
  EXPECT_THAT(socket.read_answer(), HasSubstr("\"next\":1"));
  ASSERT_TRUE(broker_.await_held(2));
  broker_.release(1);
  EXPECT_THAT(socket.read_answer(), HasSubstr("\"stored\":1"));
}

TEST_F(Pipelining, ReadsNoFurtherThanItsLimit) {
  serve({.threads = 1, .max_pipelined = 2});
  broker_.hold();
  auto socket = raw();
  socket.send(produce("a") + produce("b") + produce("c"));
  ASSERT_TRUE(broker_.await_held(2));
  EXPECT_EQ(call("GET", "/healthz").status, 200);  // the loop went round
  EXPECT_EQ(broker_.held(), 2u);
  broker_.release(0);
  EXPECT_TRUE(broker_.await_held(3));
}

TEST_F(Pipelining, ReadsNoFurtherFromAClientThatTakesNoAnswers) {
  serve({.threads = 1, .write_timeout = std::chrono::milliseconds(200)});
  ProduceRequest big;
  big.topic = "long";
  for (int i = 0; i < 8; ++i) big.items.push_back({std::string(4 << 20, 'x'), ""});
  broker_.produce(std::move(big), [](const ProduceResult&) {});
  auto socket = raw();
  socket.receive_little();
  constexpr int kRequests = 100'000;
  std::string all = request("GET", "/v1/topics/long/messages");
  for (int i = 0; i < kRequests; ++i) all += produce("x");
  socket.send(all);  // until the server gives up
  EXPECT_LT(broker_.produced().size(), 2000u);
}

TEST_F(Pipelining, TakesThousandsInARow) {
  constexpr int kRequests = 5000;
  auto socket = raw();
  std::string all;
  for (int i = 0; i < kRequests; ++i) all += produce(std::to_string(i));
  socket.send(all);
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(status_of(socket.read_answer()), 200) << i;
  const auto produced = broker_.produced();
  ASSERT_EQ(produced.size(), static_cast<std::size_t>(kRequests));
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_EQ(produced[static_cast<std::size_t>(i)].items[0].body, std::to_string(i));
  }
}

TEST_F(Pipelining, BytesMayComeOneByOne) {
  auto socket = raw();
  const auto bytes = produce("ab") + request("GET", "/healthz");
  for (const char c : bytes) socket.send(std::string_view(&c, 1));
  EXPECT_EQ(status_of(socket.read_answer()), 200);
  EXPECT_EQ(status_of(socket.read_answer()), 200);
}

TEST_F(Pipelining, AnswersAClientThatShutItsSide) {
  broker_.hold();
  auto socket = raw();
  socket.send(produce("a"));
  socket.shut_sending();
  ASSERT_TRUE(broker_.await_held(1));
  broker_.release(0);
  EXPECT_EQ(status_of(socket.read_answer()), 200);
  EXPECT_EQ(socket.read_all(), "");
  EXPECT_TRUE(socket.at_end());
}

TEST_F(Pipelining, SurvivesClientsThatLeaveBeforeTheAnswer) {
  broker_.hold();
  for (int i = 0; i < 20; ++i) {
    auto socket = raw();
    socket.send(produce("a") + produce("b"));
    ASSERT_TRUE(broker_.await_held(static_cast<std::size_t>(2 * i + 2)));
  }
  for (std::size_t i = 0; i < 40; ++i) broker_.release(i);
  EXPECT_EQ(call("GET", "/healthz").status, 200);
}

}  // namespace
}  // namespace stub::test
