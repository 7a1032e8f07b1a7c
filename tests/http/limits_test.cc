// SPDX-License-Identifier: Apache-2.0
// What a client may not do, and what becomes of it.

#include <sys/resource.h>

#include <random>

#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Limits : public HttpTest {};

TEST_F(Limits, RefusesALongHeader) {
  auto socket = raw();
  socket.send(request("GET", "/healthz", "", "X: " + std::string(9000, 'x') + "\r\n"));
  const auto answer = socket.read_all();
  EXPECT_EQ(status_of(answer), 431);
  EXPECT_THAT(answer, HasSubstr("longer than 8192 bytes"));
  EXPECT_TRUE(socket.at_end());
}

TEST_F(Limits, TakesAHeaderJustBelow) {
  auto socket = raw();
  socket.send(request("GET", "/healthz", "", "X: " + std::string(8000, 'x') + "\r\n"));
  EXPECT_EQ(status_of(socket.read_answer()), 200);
}

TEST_F(Limits, RefusesALongBodyBeforeItComes) {
  serve({.max_body_bytes = 1000});
  auto socket = raw();
  socket.send("POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
  const auto answer = socket.read_all();
  EXPECT_EQ(status_of(answer), 413);
  EXPECT_THAT(answer, HasSubstr("longer than 1000 bytes"));
}

TEST_F(Limits, RefusesALongChunkedBody) {
  serve({.max_body_bytes = 1000});
  auto socket = raw();
  socket.send(
      "POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 10; ++i) socket.send("80\r\n" + std::string(128, 'x') + "\r\n");
  EXPECT_EQ(status_of(socket.read_all()), 413);
  EXPECT_TRUE(broker_.produced().empty());
}

TEST_F(Limits, AClientStillSendingGetsToReadTheRefusal) {
  serve({.max_body_bytes = 1000});
  auto socket = raw();
  socket.send(request("POST", "/v1/topics/t/messages", std::string(4 << 20, 'x')));
  EXPECT_EQ(status_of(socket.read_all()), 413);
}

TEST_F(Limits, TakesAChunkedBody) {
  auto socket = raw();
  socket.send(
      "POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(status_of(socket.read_answer()), 200);
  EXPECT_EQ(broker_.produced().at(0).items.at(0).body, "abcde");
}

TEST_F(Limits, SaysContinueToAClientThatAsks) {
  auto socket = raw();
  socket.send(
      "POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(socket.read_answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("abc");
  EXPECT_EQ(status_of(socket.read_answer()), 200);
}

TEST_F(Limits, AnswersGarbageAndCloses) {
  for (const auto* garbage :
       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "hello\r\n\r\n", "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nbad\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    auto socket = raw();
    socket.send(std::string_view(garbage));
    socket.shut_sending();
    const auto answer = socket.read_all();
    EXPECT_TRUE(socket.at_end()) << garbage;
    EXPECT_TRUE(answer.empty() || status_of(answer) == 400) << answer;
  }
  auto socket = raw();
  socket.send("hello\r\n\r\n");
  EXPECT_THAT(socket.read_all(), HasSubstr("this is not HTTP"));
}

TEST_F(Limits, SurvivesRandomBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good = request("POST", "/v1/topics/t/messages?lines=1", "a\nb\n",
                                   "Content-Type: application/json\r\n");
  for (int round = 0; round < 300; ++round) {
    auto bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    auto socket = raw();
    socket.send(bytes);
    socket.shut_sending();
    socket.read_all();
    ASSERT_TRUE(socket.at_end()) << round;
  }
  EXPECT_EQ(call("GET", "/healthz").status, 200);
}

TEST_F(Limits, RefusesTargetsThatAreNotPaths) {
  auto socket = raw();
  socket.send(request("GET", "/v1/%zz"));
  EXPECT_EQ(status_of(socket.read_answer()), 400);
  socket.send(request("GET", "*"));
  EXPECT_EQ(status_of(socket.read_answer()), 400);
}

TEST_F(Limits, ClosesIdleConnections) {
  serve({.idle_timeout = std::chrono::milliseconds(50)});
  auto fresh = raw();
  auto used = raw();
  used.send(request("GET", "/healthz"));
  EXPECT_EQ(status_of(used.read_answer()), 200);
  EXPECT_EQ(fresh.read_all(), "");
  EXPECT_EQ(used.read_all(), "");
  EXPECT_TRUE(fresh.at_end() && used.at_end());
}

TEST_F(Limits, AWaitingProducerIsNotIdle) {
  serve({.idle_timeout = std::chrono::milliseconds(20)});
  broker_.hold();
  auto producer = raw();
  producer.send(request("POST", "/v1/topics/t/messages", "x"));
  ASSERT_TRUE(broker_.await_held(1));
  auto idle = raw();
  EXPECT_EQ(idle.read_all(), "");  // so the idle time has passed since
  broker_.release(0);
  EXPECT_EQ(status_of(producer.read_answer()), 200);
}

TEST_F(Limits, TimesOutSlowHeadersAndBodies) {
  serve({.header_timeout = std::chrono::milliseconds(50),
         .body_timeout = std::chrono::milliseconds(50)});
  auto slow_header = raw();
  slow_header.send("GET /healthz HT");
  auto slow_body = raw();
  slow_body.send("POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_THAT(slow_header.read_all(), HasSubstr("the header did not come in time"));
  EXPECT_THAT(slow_body.read_all(), HasSubstr("the body did not come in time"));
  EXPECT_TRUE(broker_.produced().empty());
}

TEST_F(Limits, ClosesOnClientsThatDoNotRead) {
  serve({.max_connections = 1, .write_timeout = std::chrono::milliseconds(100)});
  ProduceRequest big;
  big.topic = "t";
  for (int i = 0; i < 8; ++i) big.items.push_back({std::string(4 << 20, 'x'), ""});
  broker_.produce(std::move(big), [](const ProduceResult&) {});
  auto stalled = raw();
  stalled.receive_little();
  stalled.send(request("GET", "/v1/topics/t/messages"));
  // The one connection allowed is the stalled one's, until it is closed.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int status = 0;
  while (status != 200 && std::chrono::steady_clock::now() < deadline) {
    status = call("GET", "/healthz").status;
  }
  EXPECT_EQ(status, 200);
}

TEST_F(Limits, HoldsThousandsOfIdleConnectionsOnTwoThreads) {
  constexpr std::size_t kConnections = 3000;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * kConnections + 500);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2 * kConnections + 500) GTEST_SKIP() << "too few descriptors allowed";
  std::vector<RawSocket> idle;
  for (std::size_t i = 0; i < kConnections; ++i) {
    idle.push_back(raw());
    ASSERT_TRUE(idle.back().connected()) << i;
  }
  for (std::size_t i = 0; i < kConnections; i += 100) {
    idle[i].send(request("GET", "/healthz"));
    EXPECT_EQ(status_of(idle[i].read_answer()), 200) << i;
  }
  EXPECT_EQ(call("GET", "/healthz").status, 200);
}

TEST_F(Limits, RefusesConnectionsBeyondItsLimit) {
  serve({.max_connections = 2});
  auto first = raw();
  auto second = raw();
  for (auto* socket : {&first, &second}) {
    socket->send(request("GET", "/healthz"));
    EXPECT_EQ(status_of(socket->read_answer()), 200);
  }
  auto third = raw();
  const auto answer = third.read_all();
  EXPECT_TRUE(answer.empty() || status_of(answer) == 503) << answer;
  EXPECT_TRUE(third.at_end());
  first.send(request("GET", "/healthz"));
  EXPECT_EQ(status_of(first.read_answer()), 200);
}

}  // namespace
}  // namespace stub::test
