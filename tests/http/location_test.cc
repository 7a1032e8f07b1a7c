// SPDX-License-Identifier: Apache-2.0
// Where a slave sends the clients of its master, and whom it does not believe.

#include "http/location.h"

#include "ha/plugin.h"
#include "http/fixture.h"

using namespace std::string_literals;

namespace stub::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string judged(std::string_view text) {
  const auto url = http::parse_client_url(text, "x");
  const auto* good = std::get_if<http::BrokerUrl>(&url);
  return good != nullptr ? http::to_string(*good) : "";
}

const std::vector<std::string> kHostile = {"",
                                           "10.0.0.1:8080",
                                           "ftp://a:1",
                                           "http://",
                                           "http://:80",
                                           "http://a:0",
                                           "http://a:65536",
                                           "http://a:-1",
                                           "http://a:1/path",
                                           "http://a:1?q",
                                           "http://a:1#f",
                                           "http://user@a:1",
                                           "http://a%0d%0aSet-Cookie:x:1",
                                           "http://a\r\nX: y",
                                           "http://a b:1",
                                           "http://a:1\0"s,
                                           "http://caf\xC3\xA9:1",
                                           "http://\xE5",
                                           "http:\xE5",
                                           "http://[::1",
                                           "http://[fe80::1%25eth0]:1",
                                           "http://[fe80::1%eth0]:1",
                                           "http://0.0.0.0:1",
                                           "http://[::]:1",
                                           "http://a:1,http://b:1",
                                           "javascript://a:1",
                                           "http://" + std::string(400, 'a') + ":1"};

TEST(ClientUrl, HasOneSpelling) {
  EXPECT_EQ(judged("http://a.example:8080"), "http://a.example:8080");
  EXPECT_EQ(judged("HTTPS://a/"), "https://a:443");
  EXPECT_EQ(judged("http://[fd00::1]:81"), "http://[fd00::1]:81");
  for (const auto& bad : kHostile) EXPECT_EQ(judged(bad), "") << bad;
}

TEST(ClientUrl, OfAListenerIsThatOfOneAddress) {
  EXPECT_EQ(http::client_url_of("10.0.0.1:8080", false), "http://10.0.0.1:8080");
  EXPECT_EQ(http::client_url_of("[fd00::1]:8080", true), "https://[fd00::1]:8080");
  EXPECT_EQ(http::client_url_of("0.0.0.0:8080", false), "");
  EXPECT_EQ(http::client_url_of("[::]:8080", false), "");
  EXPECT_EQ(http::client_url_of("[fe80::1%eth0]:8080", false), "");
}

TEST(ClientUrl, OfALocationIsWhatStandsBeforeThePath) {
  EXPECT_EQ(http::to_string(*http::parse_location("http://a:1/v1/x?y=http://b:2/")), "http://a:1");
  for (const auto* bad : {"/v1/x", "//a:1/x", "http:///x", "http://a@b:1/", "a:1/x", "://"}) {
    EXPECT_FALSE(http::parse_location(bad)) << bad;
  }
}

class Location : public HttpTest {
 protected:
  void SetUp() override {
    HttpTest::SetUp();
    broker_.set_result(HA_NOT_MASTER, "this node is a slave", 0);
  }
  http::ClientResponse refused(const std::string& query = "") const {
    return call("POST", "/v1/topics/t/messages" + query, "x", "text/plain");
  }
};

TEST_F(Location, LeadsToTheSameRequestOfTheMaster) {
  broker_.set_master_place(MasterPlace{"http://10.0.0.1:8080/", "a\"b", "10.0.0.1:10912"});
  const auto answer = refused("?key=a%20b&acks=1");
  EXPECT_EQ(answer.status, 421);
  EXPECT_EQ(answer.location, "http://10.0.0.1:8080/v1/topics/t/messages?key=a%20b&acks=1");
  EXPECT_THAT(answer.body, HasSubstr(R"(,"master":{"url":"http://10.0.0.1:8080","id":"a\"b"}})"));
  auto socket = raw();
  socket.send(request("POST", "http://elsewhere:9/v1/topics/t/messages?lines=0", "x"));
  EXPECT_THAT(socket.read_answer(),
              HasSubstr("Location: http://10.0.0.1:8080/v1/topics/t/messages?lines=0\r\n"));
}

TEST_F(Location, IsThereOnlyWhenTheMasterIsKnown) {
  EXPECT_EQ(refused().location, "");
  EXPECT_THAT(refused().body, Not(HasSubstr("\"master\"")));
  broker_.set_master_place(MasterPlace{"http://10.0.0.1:8080", "", ""});
  EXPECT_THAT(refused().body, HasSubstr(R"(,"master":{"url":"http://10.0.0.1:8080"}})"));
  broker_.set_result(HA_SLAVE_NOT_AVAILABLE, "too few", 0);
  EXPECT_EQ(refused().location, "");
}

TEST_F(Location, IsNotWhatAHostileNodePublishes) {
  for (const auto& bad : kHostile) {
    broker_.set_master_place(MasterPlace{bad, "", "10.0.0.1:10912"});
    const auto answer = refused();
    EXPECT_EQ(answer.status, 421) << bad;
    EXPECT_EQ(answer.location, "") << bad;
    EXPECT_THAT(answer.body, Not(HasSubstr("\"master\""))) << bad;
  }
}

TEST_F(Location, OfThisMachineIsForThisMachine) {
  for (const auto* loopback : {"http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"}) {
    broker_.set_master_place(MasterPlace{loopback, "", "10.0.0.1:10912"});
    EXPECT_EQ(refused().location, "") << loopback;
    broker_.set_master_place(MasterPlace{loopback, "", "127.0.0.1:10912"});
    EXPECT_NE(refused().location, "") << loopback;
  }
}

}  // namespace
}  // namespace stub::test
