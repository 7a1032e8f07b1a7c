// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stub::http {
namespace {

using ::testing::HasSubstr;

std::string text_of(const Result<HostPort>& result) {
  if (const auto* error = std::get_if<Error>(&result)) return "error: " + error->text;
  return to_string(std::get<HostPort>(result));
}

std::string text_of(const Result<BrokerUrl>& result) {
  const auto* error = std::get_if<Error>(&result);
  if (error != nullptr) return "error: " + error->text;
  const auto& url = std::get<BrokerUrl>(result);
  return (url.tls ? "tls " : "") + to_string(url.server);
}

TEST(Address, TakesNumbersNamesAndBrackets) {
  EXPECT_EQ(text_of(parse_host_port("127.0.0.1:8080", "x")), "127.0.0.1:8080");
  EXPECT_EQ(text_of(parse_host_port("localhost:0", "x")), "localhost:0");
  EXPECT_EQ(text_of(parse_host_port("[::1]:65535", "x")), "[::1]:65535");
  EXPECT_EQ(text_of(parse_host_port("[fe80::1%eth0]:80", "x")), "[fe80::1%eth0]:80");
}

TEST(Address, RefusesWithTheValueAndTheWayOut) {
  EXPECT_EQ(text_of(parse_host_port("127.0.0.1", "--http")),
            "error: --http: '127.0.0.1' has no port (try 127.0.0.1:8080, [::1]:8080 or "
            "127.0.0.1:0)");
  for (const auto* bad : {"", ":80", "a:", "a:b", "a:1x", "a:65536", "a:-1", "::1:80", "[::1",
                          "[::1]", "[::1]80", "[]:80", "[a]:80", "[fe80::1%]:80",
                          "[fe80::1%a/b]:80", "a b:80", "a@b:80", "caf\xc3\xa9:80"}) {
    EXPECT_THAT(text_of(parse_host_port(bad, "--http")), HasSubstr("error: --http: '")) << bad;
  }
}

TEST(BrokerUrl, TakesUrlsAndBareAddresses) {
  EXPECT_EQ(text_of(parse_broker_url("http://127.0.0.1:8080")), "127.0.0.1:8080");
  EXPECT_EQ(text_of(parse_broker_url("http://127.0.0.1:8080/")), "127.0.0.1:8080");
  EXPECT_EQ(text_of(parse_broker_url("http://broker.example")), "broker.example:80");
  EXPECT_EQ(text_of(parse_broker_url("https://broker.example")), "tls broker.example:443");
  EXPECT_EQ(text_of(parse_broker_url("HTTPS://broker.example:8443/")), "tls broker.example:8443");
  EXPECT_EQ(text_of(parse_broker_url("https://[::1]:8443")), "tls [::1]:8443");
  EXPECT_EQ(text_of(parse_broker_url("https://[fe80::1%25eth0]")), "tls [fe80::1%eth0]:443");
  EXPECT_EQ(text_of(parse_broker_url("http://[::1]:8080")), "[::1]:8080");
  EXPECT_EQ(text_of(parse_broker_url("127.0.0.1:8080")), "127.0.0.1:8080");
  EXPECT_EQ(text_of(parse_broker_url("http://[fe80::1%25eth0]:8080/")), "[fe80::1%eth0]:8080");
  EXPECT_EQ(text_of(parse_broker_url("http://[fe80::1%252]")), "[fe80::1%2]:80");
  EXPECT_EQ(text_of(parse_broker_url("[fe80::1%eth0]:8080")), "[fe80::1%eth0]:8080");
}

TEST(BrokerUrl, RefusesWhatItCannotReach) {
  EXPECT_THAT(text_of(parse_broker_url("ftp://a:1")), HasSubstr("is not http or https"));
  EXPECT_THAT(text_of(parse_broker_url("httpss://a:1")), HasSubstr("is not http or https"));
  EXPECT_THAT(text_of(parse_broker_url("http://a:1/v1")), HasSubstr("has a path"));
  EXPECT_THAT(text_of(parse_broker_url("http://u@a:1")), HasSubstr("names a user"));
  EXPECT_THAT(text_of(parse_broker_url("http://a:0")), HasSubstr("port from 1"));
  EXPECT_THAT(text_of(parse_broker_url("http://a:99999")), HasSubstr("port from 1"));
  EXPECT_THAT(text_of(parse_broker_url("http://")), HasSubstr("has no host"));
  EXPECT_THAT(text_of(parse_broker_url("http://a b")), HasSubstr("is not a URL"));
  EXPECT_THAT(text_of(parse_broker_url("http://[fe80::1%eth0]:1")), HasSubstr("is not a URL"));
  EXPECT_THAT(text_of(parse_broker_url("http://[fe80::1%25]:1")), HasSubstr("%25"));
  EXPECT_THAT(text_of(parse_broker_url("http://[fe80::1%25a%2fb]:1")), HasSubstr("%25"));
  EXPECT_THAT(text_of(parse_broker_url("")), HasSubstr("error: "));
}

}  // namespace
}  // namespace stub::http
