// SPDX-License-Identifier: Apache-2.0
#include "http/api.h"

#include <array>

#include "ha/plugin.h"
#include "http/errors.h"
#include "http/location.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

// RocketMQ numbers queues with an int and makes a handful per topic.
constexpr std::int64_t kMaxQueue = 65'535;

}  // namespace

std::span<const Api::Route> Api::routes() {
  static const std::array<Route, 18> kRoutes = {{
      {"POST", "/v1/topics/*/messages", &Api::produce, kQuery | kBody, Need::kData},
      {"GET", "/v1/topics/*/messages", &Api::consume, kQuery, Need::kData},
      {"GET", "/v1/groups/*/topics/*/queues/*/offset", &Api::get_offset, 0, Need::kData},
      {"PUT", "/v1/groups/*/topics/*/queues/*/offset", &Api::put_offset, kBody, Need::kData, true},
      {"DELETE", "/v1/groups/*", &Api::delete_group, 0, Need::kData, true},
      {"DELETE", "/v1/groups/*/topics/*", &Api::delete_group, 0, Need::kData, true},
      {"GET", "/v1/status", &Api::status, 0, Need::kNothing},
      {"GET", "/healthz", &Api::health, kQuery, Need::kNothing},
      {"GET", "/readyz", &Api::ready, kQuery, Need::kNothing},
      {"GET", "/metrics", &Api::metrics, kQuery, Need::kNothing},
      {"GET", "/primary", &Api::primary, kQuery, Need::kNothing},
      {"GET", "/replica", &Api::replica, kQuery, Need::kNothing},
      {"GET", "/readiness", &Api::readiness, kQuery, Need::kNothing},
      {"GET", "/liveness", &Api::liveness, kQuery, Need::kNothing},
      {"POST", "/v1/promote", &Api::promote, kQuery, Need::kControl, true},
      {"POST", "/v1/follow", &Api::follow, kBody, Need::kControl, true},
      {"POST", "/v1/demote", &Api::demote, 0, Need::kControl, true},
      {"PUT", "/v1/options/*", &Api::put_option, kBody, Need::kControl, true},
  }};
  return kRoutes;
}

std::optional<std::vector<std::string>> Api::match(std::string_view pattern,
                                                   const std::vector<std::string>& segments) {
  std::vector<std::string> args;
  std::size_t i = 0;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);  // the slash
    const auto part = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(part.size());
    if (i == segments.size()) return std::nullopt;
    if (part == "*") {
      args.push_back(segments[i]);
    } else if (part != segments[i]) {
      return std::nullopt;
    }
    ++i;
  }
  if (i != segments.size()) return std::nullopt;
  return args;
}

Later Api::handle(Request request, const Reply& reply) {
  std::string allow;
  for (const auto& route : routes()) {
    auto args = match(route.pattern, request.segments);
    if (!args) continue;
    if (route.method == request.method) {
      if (auto refused = refuse_extras(route, request)) {
        reply(std::move(*refused));
        return {};
      }
      return (this->*route.handler)(Call{request, std::move(*args), reply});
    }
    allow += (allow.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") allow += ", HEAD";
  }
  if (!allow.empty()) {
    auto response = error_response(405, "METHOD_NOT_ALLOWED",
                                   in_quotes(request.method) + " is not for " +
                                       in_quotes(request.target) + " (use " + allow + ")");
    response.field = "Allow: " + allow;
    reply(std::move(response));
    return {};
  }
  std::string known;
  std::string_view previous;
  for (const auto& route : routes()) {
    if (route.pattern != previous)
      known += (known.empty() ? "" : ", ") + std::string(route.pattern);
    previous = route.pattern;
  }
  reply(error_response(404, "NOT_FOUND",
                       "no such path: " + in_quotes(request.target) + " (known: " + known + ")"));
  return {};
}

// What a route does not read must not look as if it had been read: a misspelt parameter, or
// {"force":true} in the body of a promotion.
std::optional<Response> Api::refuse_extras(const Route& route, const Request& request) {
  if ((route.takes & kQuery) == 0) {
    const Query query(request, {});
    if (query.error()) return error_response(*query.error());
  }
  if ((route.takes & kBody) == 0 && !request.body.empty()) {
    return error_response(
        400, "INVALID",
        request.method + " " + in_quotes(request.target) + " takes no body; send it without one");
  }
  return std::nullopt;
}

Response Api::with_master(Response refusal, std::string_view target) {
  if (refusal.status != http_status(HA_NOT_MASTER)) return refusal;
  if (const auto place = broker_.master_place()) name_master(refusal, *place, target);
  return refusal;
}

bool Api::may_overlap(std::string_view method, std::string_view target) {
  target = target.substr(0, target.find('?'));
  return method == "POST" && target.starts_with("/v1/topics/") && target.ends_with("/messages");
}

std::optional<Api::Place> Api::place_of(const Request& request) {
  for (const auto& route : routes()) {
    if (route.method == request.method && match(route.pattern, request.segments)) {
      return Place{route.pattern, route.need, route.blocks};
    }
  }
  return std::nullopt;
}

Result<int> parse_queue(std::string_view text) {
  const auto number = parse_integer(text);
  if (!number || *number < 0 || *number > kMaxQueue) {
    return Error{HA_INVALID, 0, "queue " + in_quotes(text) + not_whole_number(0, kMaxQueue)};
  }
  return static_cast<int>(*number);
}

}  // namespace stub::http
