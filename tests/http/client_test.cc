// SPDX-License-Identifier: Apache-2.0
// The blocking client, against servers good and bad.

#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Client : public HttpTest {};

TEST_F(Client, KeepsItsConnection) {
  auto connection = client();
  EXPECT_EQ(connection.descriptor(), -1);
  ASSERT_FALSE(std::holds_alternative<Error>(connection.call({"GET", "/healthz"}, kPatience)));
  const int descriptor = connection.descriptor();
  EXPECT_GE(descriptor, 0);
  ASSERT_FALSE(std::holds_alternative<Error>(connection.call({"GET", "/healthz"}, kPatience)));
  EXPECT_EQ(connection.descriptor(), descriptor);
}

TEST_F(Client, ConnectsAgainWhenTheServerClosedMeanwhile) {
  serve({.idle_timeout = std::chrono::milliseconds(30)});
  auto connection = client();
  ASSERT_FALSE(std::holds_alternative<Error>(connection.call({"GET", "/healthz"}, kPatience)));
  auto later = raw();
  EXPECT_EQ(later.read_all(), "");  // idle for longer than the connection above
  const auto again = connection.call({"GET", "/healthz"}, kPatience);
  EXPECT_FALSE(std::holds_alternative<Error>(again)) << std::get<Error>(again).text;
}

TEST_F(Client, PipelinesInOrder) {
  auto connection = client();
  for (const auto* body : {"a", "b", "c"}) {
    ASSERT_FALSE(std::holds_alternative<Error>(
        connection.send({"POST", "/v1/topics/t/messages", body, "text/plain"}, kPatience)));
  }
  for (const auto* offset : {"0", "100", "200"}) {
    const auto answer = connection.receive(kPatience);
    ASSERT_FALSE(std::holds_alternative<Error>(answer));
    EXPECT_THAT(std::get<http::ClientResponse>(answer).body,
                HasSubstr(std::string("\"first_offset\":") + offset + ","));
  }
}

TEST_F(Client, SaysWhenNothingListens) {
  const auto address = server_->address();
  auto connection = client();
  server_.reset();
  const auto answer = connection.call({"GET", "/healthz"}, kPatience);
  ASSERT_TRUE(std::holds_alternative<Error>(answer));
  EXPECT_EQ(std::get<Error>(answer).os_errno, ECONNREFUSED);
  EXPECT_THAT(std::get<Error>(answer).text, HasSubstr("cannot connect to " + address));
}

TEST_F(Client, GivesUpOnASilentServer) {
  broker_.hold();
  auto connection = client();
  const auto answer = connection.call({"POST", "/v1/topics/t/messages", "x", "text/plain"},
                                      std::chrono::milliseconds(50));
  ASSERT_TRUE(std::holds_alternative<Error>(answer));
  EXPECT_THAT(std::get<Error>(answer).text, HasSubstr("it took too long"));
  EXPECT_EQ(connection.descriptor(), -1);
  // POST is not sent a second time.
  EXPECT_EQ(broker_.produced().size(), 1u);
}

TEST_F(Client, EncodesWhatStandsInTargets) {
  EXPECT_EQ(http::percent_encode("a b/c%?&=\xFF~"), "a%20b%2Fc%25%3F%26%3D%FF~");
}

}  // namespace
}  // namespace stub::test
