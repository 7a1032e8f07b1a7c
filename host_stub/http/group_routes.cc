// SPDX-License-Identifier: Apache-2.0
// GET and PUT /v1/groups/{group}/topics/{topic}/queues/{queue}/offset: where a consumer group
// stands. DELETE /v1/groups/{group} and /v1/groups/{group}/topics/{topic}: forget that.

#include "ha/plugin.h"
#include "http/api.h"
#include "http/errors.h"
#include "http/json_body.h"
#include "http/text.h"

namespace stub::http {
namespace {

Response offset_response(const std::vector<std::string>& args, int queue, std::int64_t next) {
  return json_response({{"group", repaired_utf8(args[0])},
                        {"topic", repaired_utf8(args[1])},
                        {"queue", queue},
                        {"next", next}});
}

Result<std::int64_t> next_from_json(std::string_view body) {
  const auto parsed = parse_json(body);
  const auto* fault = std::get_if<Error>(&parsed);
  const auto* object =
      fault == nullptr ? std::get<boost::json::value>(parsed).if_object() : nullptr;
  const auto* next = object != nullptr ? object->if_contains("next") : nullptr;
  const auto* number = next != nullptr ? next->if_int64() : nullptr;
  if (number == nullptr || *number < 0 || object->size() != 1) {
    return Error{HA_INVALID, 0,
                 "the body " + in_quotes(body) +
                     " is not {\"next\":N} with a whole number from 0, the queue offset of the "
                     "next message to read" +
                     (fault != nullptr ? " (" + fault->text + ")" : "")};
  }
  return *number;
}

}  // namespace

Later Api::get_offset(const Call& call) {
  const auto queue = parse_queue(call.args[2]);
  if (const auto* error = std::get_if<Error>(&queue)) {
    call.reply(error_response(*error));
  } else {
    const auto next = broker_.group_offset(call.args[0], call.args[1], std::get<int>(queue));
    const auto* refused = std::get_if<Error>(&next);
    call.reply(refused != nullptr ? error_response(*refused)
                                  : offset_response(call.args, std::get<int>(queue),
                                                    std::get<std::int64_t>(next)));
  }
  return {};
}

Later Api::put_offset(const Call& call) {
  const auto queue = parse_queue(call.args[2]);
  const auto next = next_from_json(call.request.body);
  if (const auto* error = std::get_if<Error>(&queue)) {
    call.reply(error_response(*error));
  } else if (const auto* fault = std::get_if<Error>(&next)) {
    call.reply(error_response(*fault));
  } else {
    const auto set = broker_.set_group_offset(call.args[0], call.args[1], std::get<int>(queue),
                                              std::get<std::int64_t>(next));
    const auto* refused = std::get_if<Error>(&set);
    call.reply(refused != nullptr ? with_master(error_response(*refused), call.request.target)
                                  : offset_response(call.args, std::get<int>(queue),
                                                    std::get<std::int64_t>(next)));
  }
  return {};
}

Later Api::delete_group(const Call& call) {
  std::optional<std::string> topic;
  if (call.args.size() > 1) topic = call.args[1];
  const auto deleted = broker_.delete_group_offsets(call.args[0], topic);
  if (const auto* refused = std::get_if<Error>(&deleted)) {
    call.reply(with_master(error_response(*refused), call.request.target));
    return {};
  }
  boost::json::object out{{"group", repaired_utf8(call.args[0])}};
  if (topic) out["topic"] = repaired_utf8(*topic);
  out["deleted"] = std::get<std::int64_t>(deleted);
  call.reply(json_response(out));
  return {};
}

}  // namespace stub::http
