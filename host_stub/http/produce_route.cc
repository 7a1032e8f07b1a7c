// SPDX-License-Identifier: Apache-2.0
// POST /v1/topics/{topic}/messages: one message (JSON or raw), several (JSON), or a line each.

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>

#include "ha/plugin.h"
#include "http/api.h"
#include "http/errors.h"
#include "http/json_body.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

namespace json = boost::json;

constexpr std::size_t kAnswerBytes = 160;  // the longest without an error

Error invalid(std::string text) { return Error{HA_INVALID, 0, std::move(text)}; }

// `where` names the message in error texts: "the message" or "messages[3]".
Result<ProduceItem> item_from_json(const json::value& value, const std::string& where) {
  const auto* object = value.if_object();
  if (object == nullptr) return invalid(where + " is not a JSON object (try {\"body\":\"hello\"})");
  ProduceItem item;
  bool has_body = false;
  for (const auto& member : *object) {
    const std::string_view name(member.key().data(), member.key().size());
    const auto* text = member.value().if_string();
    if (name != "body" && name != "body_base64" && name != "key") {
      return invalid(where + " has the unknown member " + in_quotes(name) +
                     " (known: body, body_base64, key)");
    }
    if (text == nullptr) return invalid(where + ": " + in_quotes(name) + " is not a string");
    if (name == "key") {
      item.key.assign(text->data(), text->size());
      continue;
    }
    if (has_body) return invalid(where + " has both body and body_base64; give one");
    has_body = true;
    if (name == "body") {
      item.body.assign(text->data(), text->size());
    } else if (auto bytes = base64_decode({text->data(), text->size()})) {
      item.body = std::move(*bytes);
    } else {
      return invalid(where + ": body_base64 " + in_quotes({text->data(), text->size()}) +
                     " is not base64 with padding");
    }
  }
  if (!has_body) return invalid(where + " has neither body nor body_base64; give one");
  return item;
}

Result<std::vector<ProduceItem>> items_from_json(std::string_view body) {
  // Copies of the input's strings are made once, in the items; the tree lives in one arena.
  json::monotonic_resource arena;
  auto parsed = parse_json(body, &arena);
  if (auto* fault = std::get_if<Error>(&parsed)) return std::move(*fault);
  const auto& value = std::get<json::value>(parsed);
  std::vector<ProduceItem> items;
  const auto* object = value.if_object();
  const auto* list = object != nullptr ? object->if_contains("messages") : nullptr;
  if (list == nullptr) {
    auto item = item_from_json(value, "the message");
    if (auto* fault = std::get_if<Error>(&item)) return std::move(*fault);
    items.push_back(std::get<ProduceItem>(std::move(item)));
    return items;
  }
  if (!list->is_array() || list->get_array().empty() || object->size() != 1) {
    return invalid("\"messages\" must be a list of one or more and the object's only member");
  }
  items.reserve(list->get_array().size());
  for (const auto& element : list->get_array()) {
    auto item = item_from_json(element, "messages[" + std::to_string(items.size()) + "]");
    if (auto* fault = std::get_if<Error>(&item)) return std::move(*fault);
    items.push_back(std::get<ProduceItem>(std::move(item)));
  }
  return items;
}

// A final newline ends the last line; without one the last line ends with the body.
std::vector<ProduceItem> items_from_lines(std::string_view body, const std::string& key) {
  std::vector<ProduceItem> items;
  items.reserve(static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n')) + 1);
  while (!body.empty()) {
    const auto end = body.find('\n');
    items.push_back({std::string(body.substr(0, end)), key});
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
  }
  return items;
}

std::int32_t parse_acks(Query& query) {
  const auto text = query.text("acks");
  if (!text || *text == "default") return HA_ACKS_DEFAULT;
  if (*text == "all") return HA_ACKS_ALL_IN_SYNC;
  if (*text == "quorum") return HA_ACKS_QUORUM;
  if (*text == "async") return 1;
  const auto number = parse_integer(*text);
  if (number && *number >= 1 && *number <= INT32_MAX) return static_cast<std::int32_t>(*number);
  query.fail(
      "query parameter 'acks': " + in_quotes(*text) +
      " must be a number of copies from 1 (2 waits for one slave), or one of all, quorum, async, "
      "default");
  return HA_ACKS_DEFAULT;
}

std::int32_t parse_durability(Query& query) {
  const auto text = query.text("durability");
  if (!text || *text == "default") return HA_DURABILITY_DEFAULT;
  if (*text == "received") return HA_DURABILITY_RECEIVED;
  if (*text == "durable") return HA_DURABILITY_DURABLE;
  query.fail("query parameter 'durability': " + in_quotes(*text) +
             " must be one of received, durable, default");
  return HA_DURABILITY_DEFAULT;
}

Response produce_response(const ProduceResult& result) {
  Response out;
  out.status = http_status(result.status);
  out.body.reserve(kAnswerBytes);
  out.body.append("{\"status\":\"").append(status_name(result.status));
  out.body.append("\",\"stored\":").append(std::to_string(result.stored));
  out.body.append(",\"first_offset\":").append(std::to_string(result.first_offset));
  out.body.append(",\"end_offset\":").append(std::to_string(result.end_offset));
  if (result.status < 0) {
    out.body += ",\"error\":{\"code\":\"" + std::string(status_name(result.status)) +
                "\",\"message\":" + json_string(result.text) + "}";
  }
  out.body += "}\n";
  return out;
}

}  // namespace

Later Api::produce(const Call& call) {
  const auto& request = call.request;
  Query query(request, {"acks", "durability", "timeout_ms", "queue", "key", "delay_ms", "lines"});
  ProduceRequest out;
  out.topic = call.args[0];
  out.acks = parse_acks(query);
  out.durability = parse_durability(query);
  out.timeout_ms = query.integer_or("timeout_ms", out.timeout_ms, 1, kMaxAckTimeoutMs);
  out.delay_ms = query.integer_or("delay_ms", 0, 0, kMaxDelayMs);
  const std::string key = query.text("key").value_or("");
  const bool lines = query.flag("lines");
  const bool json_body = is_json(request.content_type);
  if (const auto text = query.text("queue")) {
    auto queue = parse_queue(*text);
    if (auto* error = std::get_if<Error>(&queue)) {
      query.fail(error->text);
    } else {
      out.queue = std::get<int>(queue);
    }
  }
  if (!is_utf8(key)) query.fail("query parameter 'key': " + in_quotes(key) + " is not UTF-8");
  if (lines && json_body) {
    query.fail("lines=1 is for bodies other than JSON; send them as text/plain");
  }
  if (json_body && !key.empty()) {
    query.fail("query parameter 'key' is for bodies other than JSON; put \"key\" into the message");
  }
  if (!query.error() && json_body) {
    auto items = items_from_json(request.body);
    if (auto* error = std::get_if<Error>(&items)) {
      query.fail(error->text);
    } else {
      out.items = std::get<std::vector<ProduceItem>>(std::move(items));
    }
  } else if (lines) {
    out.items = items_from_lines(request.body, key);
    if (out.items.empty()) query.fail("the body holds no line; a line may be empty, but must end");
  } else {
    out.items.push_back({std::move(call.request.body), key});
  }
  if (query.error()) {
    call.reply(error_response(*query.error()));
    return {};
  }
  return Produce{std::move(out),
                 [this, reply = call.reply, target = request.target](const ProduceResult& result) {
                   reply(with_master(produce_response(result), target));
                 }};
}

}  // namespace stub::http
