// SPDX-License-Identifier: Apache-2.0
// GET /v1/topics/{topic}/messages: what is held from a cursor on, at once or as soon as there is
// some.

#include "ha/plugin.h"
#include "http/api.h"
#include "http/errors.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

// "name":"text", or "name_base64":"..." for bytes that JSON cannot hold.
void append_bytes(std::string& out, std::string_view name, const std::string& bytes) {
  out += ",\"";
  out += name;
  if (is_utf8(bytes)) {
    out += "\":" + json_string(bytes);
  } else {
    out += "_base64\":\"" + base64_encode(bytes) + "\"";
  }
}

Response consume_response(const Result<ConsumeResult>& result) {
  if (const auto* error = std::get_if<Error>(&result)) return error_response(*error);
  const auto& held = std::get<ConsumeResult>(result);
  Response out;
  out.body = "{\"messages\":[";
  for (const auto& message : held.messages) {
    if (&message != &held.messages.front()) out.body += ",";
    out.body += "{\"offset\":" + std::to_string(message.offset) +
                ",\"queue\":" + std::to_string(message.queue) +
                ",\"queue_offset\":" + std::to_string(message.queue_offset) +
                ",\"store_time_ms\":" + std::to_string(message.store_time_ms);
    if (!message.key.empty()) append_bytes(out.body, "key", message.key);
    append_bytes(out.body, "body", message.body);
    out.body += "}";
  }
  out.body += "],\"first\":" + std::to_string(held.first) +
              ",\"next\":" + std::to_string(held.next) + ",\"end\":" + std::to_string(held.end);
  if (held.skipped)
    out.body += ",\"skipped\":{\"from\":" + std::to_string(held.skipped->from) +
                ",\"to\":" + std::to_string(held.skipped->to) + "}";
  out.body += "}\n";
  return out;
}

}  // namespace

Later Api::consume(const Call& call) {
  Query query(call.request, {"from", "max", "queue", "wait_ms", "group"});
  ConsumeQuery what;
  what.topic = call.args[0];
  const auto from = query.integer("from", 0, INT64_MAX);
  what.max = query.integer_or("max", what.max, 1, kMaxConsumeCount);
  const std::int64_t wait_ms = query.integer_or("wait_ms", 0, 0, kMaxLongPollMs);
  const auto group = query.text("group");
  if (const auto text = query.text("queue")) {
    auto queue = parse_queue(*text);
    if (auto* error = std::get_if<Error>(&queue)) {
      query.fail(error->text);
    } else {
      what.queue = std::get<int>(queue);
    }
  }
  if (group && !what.queue) {
    query.fail("'group' needs 'queue': a group keeps one offset per queue (add queue=0)");
  }
  if (query.error()) {
    call.reply(error_response(*query.error()));
    return {};
  }
  if (from) {
    what.from = *from;
  } else if (group) {
    const auto next = broker_.group_offset(*group, what.topic, *what.queue);
    if (const auto* refused = std::get_if<Error>(&next)) {
      call.reply(error_response(*refused));
      return {};
    }
    if (std::get<std::int64_t>(next) >= 0) what.from = std::get<std::int64_t>(next);
  }
  auto held = broker_.consume(what);
  const auto* result = std::get_if<ConsumeResult>(&held);
  // A reader is told at once what it skipped.
  if (wait_ms > 0 && result != nullptr && result->messages.empty() && !result->skipped) {
    what.from = result->next;
    return LongPoll{what.topic, what.queue, result->next, std::chrono::milliseconds(wait_ms),
                    [this, what] { return consume_response(broker_.consume(what)); }};
  }
  call.reply(consume_response(held));
  return {};
}

}  // namespace stub::http
