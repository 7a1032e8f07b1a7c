// SPDX-License-Identifier: Apache-2.0
// A server on a free port of this machine, before a FakeBroker.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "http/address.h"
#include "http/client.h"
#include "http/fake_broker.h"
#include "http/raw_socket.h"
#include "http/server.h"

namespace stub::test {

inline constexpr std::chrono::milliseconds kPatience{20'000};

class HttpTest : public ::testing::Test {
 protected:
  void SetUp() override { serve({}); }

  // Replaces the server; the options' address becomes a free port unless it names one.
  void serve(http::ServerOptions options, const std::string& listen = "127.0.0.1:0") {
    server_.reset();
    options.listen = listen;
    auto bound = http::Server::bind(options);
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<http::Server>>(bound))
        << std::get<Error>(bound).text;
    server_ = std::get<std::unique_ptr<http::Server>>(std::move(bound));
    server_->start(broker_);
  }

  http::Client client() const {
    return http::Client(
        std::get<http::HostPort>(http::parse_host_port(server_->address(), "server")));
  }

  // One request on a connection of its own. Status 0 with the error as its body when it failed.
  http::ClientResponse call(const std::string& method, const std::string& target,
                            std::string body = "",
                            const std::string& content_type = "application/json") const {
    auto connection = client();
    auto answer = connection.call({method, target, std::move(body), content_type}, kPatience);
    if (const auto* error = std::get_if<Error>(&answer)) return {0, error->text, "", ""};
    return std::get<http::ClientResponse>(std::move(answer));
  }

  RawSocket raw() const { return RawSocket(server_->address()); }

  FakeBroker broker_;  // outlives the server
  std::unique_ptr<http::Server> server_;
};

// A request as bytes.
inline std::string request(const std::string& method, const std::string& target,
                           const std::string& body = "", const std::string& fields = "") {
  return method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + fields +
         (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
         body;
}

}  // namespace stub::test
