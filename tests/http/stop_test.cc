// SPDX-License-Identifier: Apache-2.0
// Where the server listens, and how it ends.

#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Stop : public HttpTest {};

TEST_F(Stop, ListensOnIpv6) {
  http::ServerOptions options;
  options.listen = "[::1]:0";
  auto bound = http::Server::bind(options);
  if (std::holds_alternative<Error>(bound)) GTEST_SKIP() << std::get<Error>(bound).text;
  const auto server = std::get<std::unique_ptr<http::Server>>(std::move(bound));
  server->start(broker_);
  EXPECT_TRUE(server->address().starts_with("[::1]:"));
  RawSocket socket(server->address());
  socket.send(request("GET", "/healthz"));
  EXPECT_EQ(status_of(socket.read_answer()), 200);
}

TEST_F(Stop, APortInUseIsAnErrorThatNamesIt) {
  http::ServerOptions options;
  options.listen = server_->address();
  const auto again = http::Server::bind(options);
  ASSERT_TRUE(std::holds_alternative<Error>(again));
  const auto& error = std::get<Error>(again);
  EXPECT_EQ(error.os_errno, EADDRINUSE);
  EXPECT_THAT(error.text, HasSubstr("cannot listen on '" + server_->address() + "'"));
}

TEST_F(Stop, ABadAddressIsRefused) {
  for (const auto* bad : {"8080", "127.0.0.1:http", "256.0.0.1.nowhere.invalid:1"}) {
    http::ServerOptions options;
    options.listen = bad;
    EXPECT_TRUE(std::holds_alternative<Error>(http::Server::bind(options))) << bad;
  }
}

TEST_F(Stop, DrainEndsWhatIsIdleAndAnswersLongPolls) {
  auto idle = raw();
  auto poll = raw();
  poll.send(request("GET", "/v1/topics/t/messages?wait_ms=60000"));
  ASSERT_TRUE(broker_.await_waiting(1));
  server_->drain();
  EXPECT_EQ(status_of(poll.read_all()), 200);
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(raw().connected());
  EXPECT_TRUE(broker_.await_waiting(0));
}

TEST_F(Stop, ProducersThatWaitAreAnsweredByTheBrokersEnd) {
  broker_.hold();
  auto producer = raw();
  producer.send(request("POST", "/v1/topics/t/messages", "x"));
  ASSERT_TRUE(broker_.await_held(1));
  server_->drain();
  broker_.stop(0);
  server_->stop(kPatience);
  const auto answer = producer.read_all();
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_THAT(answer, HasSubstr("SHUTDOWN"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_F(Stop, OneOfWhichNoMoreIsReadIsClosedOnceItIsAnswered) {
  serve({.threads = 1, .max_pipelined = 2});
  broker_.hold();
  auto producer = raw();
  const auto one = request("POST", "/v1/topics/t/messages", "x");
  producer.send(one + one + one);
  ASSERT_TRUE(broker_.await_held(2));
  server_->drain();
  broker_.stop(0);
  const auto answers = producer.read_all();
  EXPECT_TRUE(producer.at_end());
  EXPECT_THAT(answers, HasSubstr("Connection: close"));
}

// A reset could overtake the answer.
TEST_F(Stop, AClientThatIsStillSendingReadsItsAnswerWithoutAReset) {
  broker_.hold();
  auto producer = raw();
  const auto one = request("POST", "/v1/topics/t/messages", "0123456789");
  producer.send(one + one.substr(0, one.size() - 5));
  ASSERT_TRUE(broker_.await_held(1));
  server_->drain();
  broker_.stop(0);
  EXPECT_THAT(producer.read_all(), HasSubstr("Connection: close"));
  EXPECT_TRUE(producer.at_end());
  EXPECT_TRUE(producer.send("56"));
  EXPECT_TRUE(producer.send("789"));
}

TEST_F(Stop, ClosesWhatIsNotAnsweredInTime) {
  broker_.hold();
  auto producer = raw();
  producer.send(request("POST", "/v1/topics/t/messages", "x"));
  ASSERT_TRUE(broker_.await_held(1));
  server_->stop(std::chrono::milliseconds(10));
  EXPECT_EQ(producer.read_all(), "");
  EXPECT_TRUE(producer.at_end());
  broker_.release(0);  // harmless: nobody is there any more
}

TEST_F(Stop, MayBeCalledTwiceOrNotAtAll) {
  server_->stop(std::chrono::milliseconds(0));
  server_->stop(std::chrono::milliseconds(0));
  http::ServerOptions options;
  options.listen = "127.0.0.1:0";
  EXPECT_TRUE(std::holds_alternative<std::unique_ptr<http::Server>>(http::Server::bind(options)));
}

}  // namespace
}  // namespace stub::test
