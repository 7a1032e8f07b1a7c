// SPDX-License-Identifier: Apache-2.0
#include "cli/broker_client.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/progress.h"
#include "ha/plugin.h"
#include "http/text.h"
#include "http/tls_context.h"
#include "http/token_file.h"

namespace stub::cli {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(text->data(), text->size()) : std::string();
}

std::int64_t number_at(const json::object& object, std::string_view name, std::int64_t absent) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return absent;
  if (const auto* number = value->if_int64()) return *number;
  return absent;
}

const json::object& object_at(const json::object& object, std::string_view name) {
  static const json::object kEmpty;
  const auto* value = object.if_contains({name.data(), name.size()});
  const auto* inner = value != nullptr ? value->if_object() : nullptr;
  return inner != nullptr ? *inner : kEmpty;
}

const json::array& array_at(const json::object& object, std::string_view name) {
  static const json::array kEmpty;
  const auto* value = object.if_contains({name.data(), name.size()});
  const auto* inner = value != nullptr ? value->if_array() : nullptr;
  return inner != nullptr ? *inner : kEmpty;
}

bool true_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_bool() && value->get_bool();
}

// "name" as it is, or "name_base64" decoded.
std::string bytes_at(const json::object& object, const std::string& name) {
  const auto encoded = text_at(object, name + "_base64");
  if (encoded.empty()) return text_at(object, name);
  return http::base64_decode(encoded).value_or("");
}

Result<json::object> parse_object(const std::string& text, const http::HostPort& from) {
  boost::system::error_code error;
  auto value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return Error{HA_INTERNAL, 0,
                 http::to_string(from) + " did not answer with a JSON object: " +
                     http::in_quotes(text) + " (is it a ha_stub?)"};
  }
  return std::move(value.get_object());
}

// What holds the producers up, in one line; "" = nothing does.
std::string blocked_line(const json::object& blocked) {
  if (blocked.empty()) return "";
  std::string out = fmt::format("{} wait, the first for {}", number_at(blocked, "waits", 0),
                                duration_text(number_at(blocked, "for_ms", 0) * 1000));
  for (const auto& value : array_at(blocked, "because")) {
    if (!value.is_object()) continue;
    const auto& one = value.get_object();
    const std::string reason = text_at(one, "reason");
    out += fmt::format("; {} {}{}", text_at(one, "id"), text_at(one, "what"),
                       reason.empty() ? "" : " (" + reason + ")");
    if (const auto lag = number_at(one, "lag_bytes", 0); lag > 0) out += " " + bytes_text(lag);
    if (const auto ms = number_at(one, "for_ms", -1); ms >= 0) {
      out += " for " + duration_text(ms * 1000);
    }
  }
  return out;
}

}  // namespace

std::string to_text(const DegradedRange& range) {
  const std::time_t since = range.since_ms / 1000;
  std::tm utc{};
  gmtime_r(&since, &utc);
  // An open one is written ahead, so its end says nothing.
  const bool open = range.healed_ms == 0;
  const std::string state = range.lost_from >= 0 ? "LOST from " + grouped(range.lost_from) + " on"
                            : open               ? "NOT healed"
                                                 : "healed";
  return fmt::format("{} .. {}, since {:%Y-%m-%d %H:%M:%S} UTC, {}", grouped(range.from),
                     open ? "now" : grouped(range.to), utc, state);
}

std::string refusal_text(const http::ClientResponse& response) {
  boost::system::error_code error;
  const auto value =
      json::parse(json::string_view(response.body.data(), response.body.size()), error);
  if (!error && value.is_object()) {
    const auto& inner = object_at(value.get_object(), "error");
    if (!inner.empty()) return text_at(inner, "code") + ": " + text_at(inner, "message");
  }
  return "HTTP status " + std::to_string(response.status) + " " + http::in_quotes(response.body);
}

Result<BrokerClient> BrokerClient::open(std::string_view url, const BrokerAccess& access) {
  auto parsed = http::parse_broker_url(url);
  if (auto* error = std::get_if<Error>(&parsed)) return std::move(*error);
  return open(std::get<http::BrokerUrl>(std::move(parsed)), access);
}

Result<BrokerClient> BrokerClient::open(http::BrokerUrl broker, const BrokerAccess& access) {
  std::string token;
  if (!access.token_file.empty()) {
    auto tokens = http::read_tokens(access.token_file, "token-file");
    if (auto* error = std::get_if<Error>(&tokens)) return std::move(*error);
    token = std::move(std::get<http::Tokens>(tokens).front());
  }
  std::shared_ptr<const http::TlsContext> tls;
  if (broker.tls) {
    auto loaded = http::TlsContext::load(access.tls, http::TlsContext::Side::kClient,
                                         {.cert = "cert", .key = "key", .ca = "ca"});
    if (auto* error = std::get_if<Error>(&loaded)) return std::move(*error);
    tls = std::get<std::shared_ptr<http::TlsContext>>(std::move(loaded));
  }
  return BrokerClient(
      http::Client(std::move(broker.server), {.token = std::move(token), .tls = std::move(tls)}));
}

std::string BrokerClient::url() const {
  return (connection_.uses_tls() ? "https://" : "http://") + http::to_string(connection_.server());
}

Result<std::string> BrokerClient::call(const http::ClientRequest& request,
                                       std::chrono::milliseconds timeout) {
  auto answer = connection_.call(request, timeout);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  auto& response = std::get<http::ClientResponse>(answer);
  if (response.status != 200) {
    const bool passes = response.status >= 500 || response.status == 421;
    return Error{passes ? HA_AGAIN : HA_STATE, 0, url() + " refused: " + refusal_text(response)};
  }
  return std::move(response.body);
}

bool BrokerClient::may_pass(const Error& error) {
  return error.status == HA_AGAIN || error.status == HA_IO || error.status == HA_TIMEOUT;
}

Result<NodeStatus> BrokerClient::status(std::chrono::milliseconds timeout) {
  auto body = call({.target = "/v1/status"}, timeout);
  if (auto* error = std::get_if<Error>(&body)) return std::move(*error);
  auto parsed = parse_object(std::get<std::string>(body), connection_.server());
  if (auto* error = std::get_if<Error>(&parsed)) return std::move(*error);
  const auto& top = std::get<json::object>(parsed);
  const auto& ha = object_at(top, "ha");
  const auto& bounds = object_at(top, "bounds");
  NodeStatus out;
  out.role = text_at(top, "role");
  if (const auto& engine = object_at(ha, "coordinator"); !engine.empty()) {
    out.coordinator = {true, true_at(engine, "answers"), text_at(engine, "holder"),
                       number_at(engine, "lease_left_ms", 0), true_at(engine, "paused")};
    const auto& set = object_at(engine, "set");
    out.coordinator.set = {number_at(set, "version", 0),
                           text_at(set, "text"),
                           {},
                           true_at(set, "changing"),
                           text_at(set, "waits_for")};
    for (const json::value& id : array_at(set, "nodes")) {
      if (const auto* name = id.if_string()) out.coordinator.set.nodes.emplace_back(*name);
    }
  }
  out.role_text = text_at(top, "role_text");
  out.master = text_at(top, "master");
  out.epoch = number_at(ha, "epoch", 0);
  out.promised = number_at(ha, "promised_epoch", 0);
  out.truncated = number_at(object_at(ha, "client"), "truncated_bytes", 0);
  out.client_state = text_at(object_at(ha, "client"), "state");
  out.client_reason = text_at(object_at(ha, "client"), "last_reason");
  out.ha_address = text_at(ha, "listen_address");
  out.min = number_at(bounds, "min", 0);
  out.end = number_at(bounds, "end", 0);
  out.whole_end = number_at(top, "whole_end", 0);
  out.confirm = number_at(bounds, "confirm", out.whole_end);
  for (const auto& value : array_at(ha, "replicas")) {
    if (!value.is_object()) continue;
    const auto& replica = value.get_object();
    auto& list = true_at(replica, "connected") ? out.replicas : out.gone;
    list.push_back({.id = text_at(replica, "id"),
                    .address = text_at(replica, "address"),
                    .state = text_at(replica, "state"),
                    .in_sync = true_at(replica, "in_sync"),
                    .ack_offset = number_at(replica, "ack_offset", -1),
                    .lag_bytes = number_at(replica, "lag_bytes", 0),
                    .lag_ms = number_at(replica, "lag_ms", -1),
                    .gone_ms = number_at(replica, "gone_ms", 0),
                    .gone_reason = text_at(replica, "last_close_reason")});
  }
  out.blocked = blocked_line(object_at(ha, "blocked"));
  for (const auto& value : array_at(object_at(ha, "degraded"), "ranges")) {
    if (!value.is_object()) continue;
    const auto& range = value.get_object();
    out.degraded.push_back({.from = number_at(range, "from", 0),
                            .to = number_at(range, "to", 0),
                            .since_ms = number_at(range, "since_ms", 0),
                            .healed_ms = number_at(range, "healed_ms", 0),
                            .lost_from = number_at(range, "lost_from", -1)});
  }
  if (const auto failed = text_at(top, "failed"); !failed.empty()) out.warnings.push_back(failed);
  for (const auto& value : array_at(ha, "warnings")) {
    if (value.is_string()) out.warnings.emplace_back(value.get_string().c_str());
  }
  out.json = std::get<std::string>(std::move(body));
  return out;
}

Result<std::monostate> BrokerClient::command(const http::ClientRequest& request) {
  auto body = call(request, kCommandTimeout);
  if (auto* error = std::get_if<Error>(&body)) return std::move(*error);
  return std::monostate{};
}

Result<std::monostate> BrokerClient::promote(bool force) {
  return command({.method = "POST", .target = force ? "/v1/promote?force=true" : "/v1/promote"});
}

Result<std::monostate> BrokerClient::demote() {
  return command({.method = "POST", .target = "/v1/demote"});
}

Result<std::monostate> BrokerClient::follow(const std::string& master) {
  return command({.method = "POST",
                  .target = "/v1/follow",
                  .body = json::serialize(json::object{{"master", http::repaired_utf8(master)}})});
}

Result<std::monostate> BrokerClient::set_option(const std::string& key, const std::string& value) {
  return command({.method = "PUT",
                  .target = "/v1/options/" + http::percent_encode(key),
                  .body = json::serialize(json::object{{"value", http::repaired_utf8(value)}})});
}

Result<ConsumeResult> BrokerClient::consume(const ConsumeQuery& query, std::int64_t wait_ms) {
  std::string target = "/v1/topics/" + http::percent_encode(query.topic) +
                       "/messages?max=" + std::to_string(query.max) +
                       "&wait_ms=" + std::to_string(wait_ms);
  if (query.from) target += "&from=" + std::to_string(*query.from);
  if (query.queue) target += "&queue=" + std::to_string(*query.queue);
  auto body = call({.target = target}, kTimeout + std::chrono::milliseconds(wait_ms));
  if (auto* error = std::get_if<Error>(&body)) return std::move(*error);
  auto parsed = parse_object(std::get<std::string>(body), connection_.server());
  if (auto* error = std::get_if<Error>(&parsed)) return std::move(*error);
  const auto& page = std::get<json::object>(parsed);
  ConsumeResult out;
  out.first = number_at(page, "first", 0);
  out.next = number_at(page, "next", query.from.value_or(0));
  out.end = number_at(page, "end", 0);
  if (const auto& skipped = object_at(page, "skipped"); !skipped.empty())
    out.skipped = {number_at(skipped, "from", 0), number_at(skipped, "to", 0)};
  for (const auto& value : array_at(page, "messages")) {
    if (!value.is_object()) continue;
    const auto& message = value.get_object();
    Message& one = out.messages.emplace_back();
    one.offset = number_at(message, "offset", 0);
    one.queue = static_cast<int>(number_at(message, "queue", 0));
    one.queue_offset = number_at(message, "queue_offset", 0);
    one.store_time_ms = number_at(message, "store_time_ms", 0);
    one.key = bytes_at(message, "key");
    one.body = bytes_at(message, "body");
  }
  return out;
}

}  // namespace stub::cli
