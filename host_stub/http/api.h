// SPDX-License-Identifier: Apache-2.0
// The broker's client API: which path and method does what. No sockets here; the session hands in
// requests and sends what comes back. README.md lists the routes with examples.
//
// Threads: handle may run on any thread, several at once; the broker serialises what it must.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "http/access.h"
#include "http/exchange.h"

namespace stub::http {

// A consumer that waits longer is better served by asking again: proxies cut silent connections off
// after a minute.
inline constexpr std::int64_t kMaxLongPollMs = 60'000;
// More messages than this make an answer of tens of megabytes even when they are small.
inline constexpr std::int64_t kMaxConsumeCount = 10'000;
// A producer that waits for ten minutes has lost its copies in another way.
inline constexpr std::int64_t kMaxAckTimeoutMs = 600'000;

class Api {
 public:
  // Both outlive the Api.
  Api(Broker& broker, const Access& access) : broker_(broker), access_(access) {}

  // What is to be known of a route before its request is handled.
  struct Place {
    std::string_view pattern;
    Need need;
    bool blocks;  // for long, which an I/O thread must not
  };
  // Empty: no route has that path and method; handle says so.
  static std::optional<Place> place_of(const Request& request);

  // Does what the request asks, for any client: the session asks Access first.
  // Answers through reply, exactly once, now or later on any thread. Or returns what the session
  // has to do first.
  Later handle(Request request, const Reply& reply);

  // True for a request that may run while an earlier one of its connection waits: appends happen in
  // the order they arrive in, and only the answers are late.
  static bool may_overlap(std::string_view method, std::string_view target);

 private:
  struct Call {
    Request& request;
    std::vector<std::string> args;  // what stood in the places of the pattern's "*"
    const Reply& reply;
  };
  struct Route {
    std::string_view method;
    std::string_view pattern;
    Later (Api::*handler)(const Call&);
    unsigned takes;  // kQuery, kBody
    Need need;
    bool blocks = false;
  };
  static constexpr unsigned kQuery = 1;
  static constexpr unsigned kBody = 2;
  static std::optional<Response> refuse_extras(const Route& route, const Request& request);
  static std::span<const Route> routes();
  static std::optional<std::vector<std::string>> match(std::string_view pattern,
                                                       const std::vector<std::string>& segments);

  Later produce(const Call& call);
  Later consume(const Call& call);
  Later get_offset(const Call& call);
  Later put_offset(const Call& call);
  Later delete_group(const Call& call);
  Later status(const Call& call);
  Later health(const Call& call);
  Later ready(const Call& call);
  Later metrics(const Call& call);
  Later primary(const Call& call);
  Later replica(const Call& call);
  Later readiness(const Call& call);
  Later liveness(const Call& call);
  Later promote(const Call& call);
  Later follow(const Call& call);
  Later demote(const Call& call);
  Later put_option(const Call& call);
  // Where the master is, in a refusal because this node is not one. target: of the request.
  Response with_master(Response refusal, std::string_view target);
  void reply_with_role(const Call& call, const Result<std::monostate>& done);

  Broker& broker_;
  const Access& access_;
};

// The queue number in a path or parameter.
Result<int> parse_queue(std::string_view text);

}  // namespace stub::http
