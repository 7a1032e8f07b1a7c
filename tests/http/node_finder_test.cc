// SPDX-License-Identifier: Apache-2.0
// A list of brokers: how it is read, and how a producer gets to the master among them.

#include "cli/node_finder.h"

#include <unistd.h>

#include "cli/producer.h"
#include "ha/plugin.h"
#include "http/fixture.h"
#include "http/location.h"
#include "http/secret_file.h"

namespace stub::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::milliseconds kShort{300};

std::vector<std::string> parsed(std::string_view text) {
  const auto list = cli::parse_broker_list(text);
  std::vector<std::string> out;
  if (const auto* error = std::get_if<Error>(&list)) return {error->text};
  for (const auto& url : std::get<std::vector<http::BrokerUrl>>(list))
    out.push_back(http::to_string(url));
  return out;
}

TEST(BrokerList, TakesUrlsInTheirOrderOnce) {
  EXPECT_THAT(parsed("http://a:1"), ElementsAre("http://a:1"));
  EXPECT_THAT(parsed(" http://a:1 ,b:2,https://c"),
              ElementsAre("http://a:1", "http://b:2", "https://c:443"));
  EXPECT_THAT(parsed("http://[::1]:8080,[fd00::1]:81"),
              ElementsAre("http://[::1]:8080", "http://[fd00::1]:81"));
  EXPECT_THAT(parsed("http://a:80,http://b:1,http://a/,a:80,https://a:80"),
              ElementsAre("http://a:80", "http://b:1", "https://a:80"));
}

TEST(BrokerList, RefusesWhatMayBeASlip) {
  EXPECT_THAT(parsed(""), ElementsAre(HasSubstr("'' has no URL at place 1")));
  EXPECT_THAT(parsed("a:1,"), ElementsAre(HasSubstr("no URL at place 2")));
  EXPECT_THAT(parsed(",a:1"), ElementsAre(HasSubstr("no URL at place 1")));
  EXPECT_THAT(parsed("a:1, ,b:1"), ElementsAre(HasSubstr("no URL at place 2")));
  EXPECT_THAT(parsed("a:1,ftp://b"), ElementsAre(HasSubstr("'ftp://b'")));
  EXPECT_THAT(parsed("a:1;b:1"), ElementsAre(HasSubstr("a:1;b:1")));
  std::string many = "a:1";
  for (int i = 2; i < 40; ++i) many += ",a:" + std::to_string(i);
  EXPECT_THAT(parsed(many), ElementsAre(HasSubstr("more than 32 brokers")));
}

// Two brokers on this machine, and a producer of a file's lines.
class FindsMaster : public HttpTest {
 protected:
  void SetUp() override {
    HttpTest::SetUp();
    auto bound = http::Server::bind({.listen = "127.0.0.1:0"});
    other_server_ = std::get<std::unique_ptr<http::Server>>(std::move(bound));
    other_server_->start(other_);
  }
  static std::string url(const http::Server& server) { return "http://" + server.address(); }
  std::string one() const { return url(*server_); }
  std::string two() const { return url(*other_server_); }
  static void turn_away(FakeBroker& broker, const std::string& to) {
    broker.set_result(HA_NOT_MASTER, "this node is a slave", 0);
    broker.set_master_place(MasterPlace{to, "", "127.0.0.1:1"});
  }
  static std::vector<std::string> bodies(const FakeBroker& broker) {
    std::vector<std::string> out;
    for (const auto& request : broker.produced())
      for (const auto& item : request.items) out.push_back(item.body);
    return out;
  }

  struct Done {
    bool all = false;
    std::string summary;
    std::string words;  // standard error
  };
  Done produce(const std::string& list, const std::string& lines,
               std::optional<std::chrono::milliseconds> timeout = std::nullopt,
               bool retry_unknown = false, const cli::BrokerAccess& access = {}) {
    auto finder = cli::NodeFinder::open(list, access, timeout);
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    EXPECT_EQ(::write(pipe[1], lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
    ::close(pipe[1]);
    cli::ProduceOptions options;
    options.topic = "t";
    options.window = 4;  // a line a batch
    options.retry_unknown = retry_unknown;
    cli::Producer producer(options, std::get<cli::NodeFinder>(finder), pipe[0]);
    testing::internal::CaptureStderr();
    Done out;
    out.all = producer.run();
    out.words = testing::internal::GetCapturedStderr();
    out.summary = producer.summary();
    ::close(pipe[0]);
    return out;
  }

  FakeBroker other_;
  std::unique_ptr<http::Server> other_server_;
};

TEST_F(FindsMaster, WhereASlaveSendsIt) {
  turn_away(broker_, two());
  const auto done = produce(one() + ",http://127.0.0.1:1", "a\nb\nc\nd\ne\n");
  EXPECT_TRUE(done.all) << done.words;
  EXPECT_THAT(done.summary, HasSubstr("{\"sent\":5,\"acked\":5,\"failed\":0,"));
  EXPECT_THAT(bodies(other_), ElementsAre("a", "b", "c", "d", "e"));
}

TEST_F(FindsMaster, WhenTheFirstOfTheListIsGone) {
  const auto done = produce("http://127.0.0.1:1," + two(), "a\nb\n");
  EXPECT_TRUE(done.all) << done.words;
  EXPECT_THAT(bodies(other_), ElementsAre("a", "b"));
}

TEST_F(FindsMaster, OneUrlIsThatBrokerAndNoOther) {
  turn_away(broker_, two());
  const auto done = produce(one(), "a\n");
  EXPECT_FALSE(done.all);
  EXPECT_THAT(done.words, HasSubstr("NOT_MASTER"));
  EXPECT_THAT(bodies(other_), ElementsAre());
  EXPECT_TRUE(produce(one(), "a\n", kPatience).all);
}

TEST_F(FindsMaster, LoopsEndWithWhatEachSaid) {
  turn_away(broker_, one());  // to itself
  turn_away(other_, one());
  const auto done = produce(one() + "," + two(), "a\n", kShort);
  EXPECT_FALSE(done.all);
  EXPECT_THAT(done.summary, HasSubstr("\"acked\":0,\"failed\":1,"));
  EXPECT_THAT(done.words, testing::AllOf(HasSubstr("no broker did it within 300.0 ms: " + one() +
                                                   ": NOT_MASTER: this node is a slave"),
                                         HasSubstr("; " + two() + ": NOT_MASTER")));
  EXPECT_LT(broker_.produced().size(), 20u);  // there are pauses between
}

TEST_F(FindsMaster, WhatMayBeStoredIsNotSentTwice) {
  broker_.set_result(HA_FLUSH_SLAVE_TIMEOUT, "too late");  // stored
  const auto done = produce(one() + "," + two(), "a\n");
  EXPECT_FALSE(done.all);
  EXPECT_THAT(done.words, HasSubstr("FLUSH_SLAVE_TIMEOUT"));
  EXPECT_THAT(bodies(other_), ElementsAre());
  // A master that stepped down after it had stored the line.
  broker_.set_result(HA_NOT_MASTER, "stopped being the master");
  EXPECT_FALSE(produce(one() + "," + two(), "b\n").all);
  EXPECT_THAT(bodies(other_), ElementsAre());
  EXPECT_TRUE(produce(one() + "," + two(), "c\n", std::nullopt, true).all);
  EXPECT_THAT(bodies(other_), ElementsAre("c"));
}

TEST_F(FindsMaster, ARefusalForGoodIsFinal) {
  broker_.set_result(HA_INVALID, "no such thing", 0);
  const auto done = produce(one() + "," + two(), "a\n");
  EXPECT_FALSE(done.all);
  EXPECT_THAT(done.words, HasSubstr("INVALID: no such thing"));
  EXPECT_THAT(bodies(other_), ElementsAre());
}

TEST_F(FindsMaster, ATokenIsForTheBrokersOfTheList) {
  const std::string token = "0123456789abcdef";
  const SecretFile file;
  file.write(token + "\n");
  http::ServerOptions options;
  options.access.client_token_file = file.path();
  serve(options);  // asks for it
  turn_away(other_, one());
  const cli::BrokerAccess access{.token_file = file.path()};
  const auto sent_away = produce(two() + ",http://127.0.0.1:1", "a\n", kShort, false, access);
  EXPECT_FALSE(sent_away.all);
  EXPECT_THAT(sent_away.words, HasSubstr("UNAUTHORIZED"));
  const auto listed = produce(two() + "," + one(), "a\n", kPatience, false, access);
  EXPECT_TRUE(listed.all) << listed.words;
}

}  // namespace
}  // namespace stub::test
