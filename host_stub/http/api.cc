#include "http/api.h"

#include <array>

#include "ha/plugin.h"
#include "http/errors.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

// RocketMQ numbers queues with an int and makes a handful per topic.
constexpr std::int64_t kMaxQueue = 65'535;

}  // namespace

std::span<const Api::Route> Api::routes() {
  static const std::array<Route, 14> kRoutes = {{
      {"POST", "/v1/topics/*/messages", &Api::produce},
      {"GET", "/v1/topics/*/messages", &Api::consume},
      {"GET", "/v1/groups/*/topics/*/queues/*/offset", &Api::get_offset},
      {"PUT", "/v1/groups/*/topics/*/queues/*/offset", &Api::put_offset, true},
      {"DELETE", "/v1/groups/*", &Api::delete_group, true},
      {"DELETE", "/v1/groups/*/topics/*", &Api::delete_group, true},
      {"GET", "/v1/status", &Api::status},
      {"GET", "/healthz", &Api::health},
      {"GET", "/readyz", &Api::ready},
      {"GET", "/metrics", &Api::metrics},
      {"POST", "/v1/promote", &Api::promote, true},
      {"POST", "/v1/follow", &Api::follow, true},
      {"POST", "/v1/demote", &Api::demote, true},
      {"PUT", "/v1/options/*", &Api::put_option, true},
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

std::optional<LongPoll> Api::handle(Request request, const Reply& reply) {
  std::string allow;
  for (const auto& route : routes()) {
    auto args = match(route.pattern, request.segments);
    if (!args) continue;
    if (route.method == request.method) {
      return (this->*route.handler)(Call{request, std::move(*args), reply});
    }
    allow += (allow.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") allow += ", HEAD";
  }
  if (!allow.empty()) {
    auto response = error_response(405, "METHOD_NOT_ALLOWED",
                                   in_quotes(request.method) + " is not for " +
                                       in_quotes(request.target) + " (use " + allow + ")");
    response.allow = allow;
    reply(std::move(response));
    return std::nullopt;
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
  return std::nullopt;
}

bool Api::may_overlap(std::string_view method, std::string_view target) {
  target = target.substr(0, target.find('?'));
  return method == "POST" && target.starts_with("/v1/topics/") && target.ends_with("/messages");
}

bool Api::may_block(const Request& request) {
  for (const auto& route : routes()) {
    if (route.blocks && route.method == request.method && match(route.pattern, request.segments)) {
      return true;
    }
  }
  return false;
}

Result<int> parse_queue(std::string_view text) {
  const auto number = parse_integer(text);
  if (!number || *number < 0 || *number > kMaxQueue) {
    return Error{HA_INVALID, 0,
                 "queue " + in_quotes(text) + " is not a whole number from 0 to " +
                     std::to_string(kMaxQueue)};
  }
  return static_cast<int>(*number);
}

}  // namespace stub::http
