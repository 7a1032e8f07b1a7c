// SPDX-License-Identifier: Apache-2.0
// One request and its answer, as plain values: what the routes see of HTTP. Sockets, limits and
// pipelining are the session's; the routes know none of it and are tested without it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "broker/broker.h"

namespace stub::http {

struct Request {
  std::string method;                 // "GET", "PUT", ...; HEAD arrives here as GET
  std::string target;                 // as sent, for error texts
  std::vector<std::string> segments;  // of the path, percent-decoded
  std::vector<std::pair<std::string, std::string>> query;  // percent-decoded, in order
  std::string content_type;                                // as sent, with parameters
  std::optional<std::string> authorization;                // the field, as sent
  std::string relayed_by;  // the name of a field that proxies or browsers add; "" = none
  std::string body;
};

// The other end of a connection.
struct Peer {
  std::string address;     // "10.0.0.7:51234"
  bool certified = false;  // it has shown a certificate that is taken, which lets it do everything
  bool loopback = false;   // 127.0.0.0/8, ::1, and the former as an IPv6 socket shows it
};

struct Response {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json";  // a literal
  std::string field = {};  // one more of the header, such as "Allow: GET"
};

// An answer that is not there yet: the session waits until there is a message at or above the
// cursor, or `wait` has passed, then sends what read() gives.
struct LongPoll {
  std::string topic;
  std::optional<int> queue;
  std::int64_t cursor = 0;
  std::chrono::milliseconds wait{0};
  std::function<Response()> read;
};

// What the session still has to do for an answer: nothing, wait for messages, or append. It appends
// together with other connections.
using Later = std::variant<std::monostate, LongPoll, Produce>;

// Takes the one answer to one request; may be called on any thread.
using Reply = std::function<void(Response)>;

}  // namespace stub::http
