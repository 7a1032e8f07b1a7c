// SPDX-License-Identifier: Apache-2.0
// A client's bytes, as one or several requests, through the parser and the routes to a broker in
// memory.
//
// What must hold whatever is sent: each request has exactly one answer, which is well-formed HTTP;
// an error is JSON with a code and a message; nothing that a client can send is an internal error.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>

#include "http/api.h"
#include "http/message.h"
#include "http/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/http/fake_broker.h"

namespace {

using namespace stub;
using ha::fuzz::require;
namespace beast_http = boost::beast::http;

void check(const http::Response& response) {
  require(response.status >= 200 && response.status < 600 && response.status != 500);
  boost::system::error_code wrong;
  if (response.content_type == "application/json") {
    const auto value = boost::json::parse(response.body, wrong);
    require(!wrong && value.is_object());
    if (response.status >= 400) {
      const auto& error = value.at("error").as_object();
      require(!error.at("code").as_string().empty() && !error.at("message").as_string().empty());
    }
  } else {
    require(response.status == 200);
  }
  std::string bytes;
  http::append_response(bytes, response, true, false);
  beast_http::response_parser<beast_http::string_body> parser;
  parser.eager(true);
  const auto used = parser.put(boost::asio::buffer(bytes), wrong);
  require(!wrong && used == bytes.size() && parser.is_done());
  require(parser.get().body() == response.body);
}

void answer(test::FakeBroker& broker, http::Api& api, http::Message message) {
  auto parts = http::to_request(std::move(message));
  if (const auto* refused = std::get_if<http::Response>(&parts)) {
    require(refused->status >= 400);
    return check(*refused);
  }
  int answers = 0;
  auto later =
      api.handle(std::get<http::Request>(std::move(parts)), [&](const http::Response& response) {
        ++answers;
        check(response);
      });
  if (auto* produce = std::get_if<Produce>(&later)) {
    require(answers == 0);
    broker.produce(std::move(produce->request), std::move(produce->done));
  }
  const auto* poll = std::get_if<http::LongPoll>(&later);
  require(answers == (poll != nullptr ? 0 : 1));
  if (poll != nullptr) check(poll->read());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const http::ServerOptions limits;
  test::FakeBroker broker;
  const http::Access access;
  http::Api api(broker, access);
  while (size > 0) {
    beast_http::request_parser<beast_http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    parser.body_limit(limits.max_body_bytes);
    while (!parser.is_done()) {
      const bool had_header = parser.is_header_done();
      boost::system::error_code wrong;
      const auto used = parser.put(boost::asio::buffer(data, size), wrong);
      data += used;
      size -= used;
      if (wrong || used == 0) return 0;
      if (!had_header && parser.is_header_done()) {
        if (const auto refused = http::refuse_header(parser.get().base())) {
          check(*refused);
          return 0;
        }
      }
    }
    answer(broker, api, parser.release());
  }
  return 0;
}
