// SPDX-License-Identifier: Apache-2.0
// The client and the server where hosts are given by name.

#include "ha/plugin.h"
#include "http/fixture.h"
#include "unit/fake_names.h"

namespace stub::test {
namespace {

using ha::testing::FakeNames;
using ::testing::HasSubstr;

class Names : public HttpTest {
 protected:
  std::uint16_t port() const {
    return std::get<http::HostPort>(http::parse_host_port(server_->address(), "server")).port;
  }
  static std::string failure_of(const std::string& listen) {
    http::ServerOptions options;
    options.listen = listen;
    const auto bound = http::Server::bind(options);
    const auto* error = std::get_if<Error>(&bound);
    return error == nullptr ? "" : error->text;
  }
  FakeNames names_;
};

TEST_F(Names, ASilentNameServiceEndsWithTheDeadline) {
  names_.silence("broker.test");
  {
    http::Client client({"broker.test", port()});
    const auto answer = client.call({"GET", "/healthz"}, std::chrono::milliseconds(20));
    ASSERT_TRUE(std::holds_alternative<Error>(answer));
    EXPECT_EQ(std::get<Error>(answer).status, HA_TIMEOUT);
    EXPECT_THAT(std::get<Error>(answer).text, HasSubstr("cannot find broker.test:"));
  }
  EXPECT_EQ(names_.waiting(), 1) << "the client waited for the look-up";
}

TEST_F(Names, TheClientTriesEveryAddress) {
  names_.set("broker.test", {"::1", "127.0.0.3", "127.0.0.1"});
  http::Client client({"broker.test", port()});
  const auto answer = client.call({"GET", "/healthz"}, kPatience);
  ASSERT_TRUE(std::holds_alternative<http::ClientResponse>(answer)) << std::get<Error>(answer).text;
}

TEST_F(Names, ANumberAsksNoNameService) {
  http::Client client({"127.0.0.1", port()});
  const int before = names_.asked();
  ASSERT_FALSE(std::holds_alternative<Error>(client.call({"GET", "/healthz"}, kPatience)));
  EXPECT_EQ(names_.asked(), before);
}

TEST_F(Names, TheServerListensOnAllAddressesOfItsName) {
  names_.set("local.test", {"127.0.0.1", "127.0.0.3"});
  serve({}, "local.test:0");
  for (const std::string ip : {"127.0.0.1", "127.0.0.3"}) {
    EXPECT_TRUE(RawSocket(ip + ":" + std::to_string(port())).connected()) << ip;
  }
}

// 192.0.2.1 is an address of documents (RFC 5737).
TEST_F(Names, AnAddressThatThisMachineDoesNotHaveIsLeftOut) {
  names_.set("local.test", {"192.0.2.1", "127.0.0.3"});
  serve({}, "local.test:0");
  EXPECT_TRUE(RawSocket("127.0.0.3:" + std::to_string(port())).connected());
  names_.set("local.test", {"192.0.2.1"});
  EXPECT_THAT(failure_of("local.test:0"), HasSubstr("cannot listen on 'local.test:0'"));
}

TEST_F(Names, APortThatIsTakenAtOneAddressIsAnError) {
  names_.set("local.test", {"127.0.0.3", "127.0.0.1"});
  EXPECT_THAT(failure_of("local.test:" + std::to_string(port())), HasSubstr("in use"));
}

}  // namespace
}  // namespace stub::test
