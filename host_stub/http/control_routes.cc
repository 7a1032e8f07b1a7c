// SPDX-License-Identifier: Apache-2.0
// Status, health, metrics, and the operator's commands: promote, demote, follow, options.

#include "ha/plugin.h"
#include "http/address.h"
#include "http/api.h"
#include "http/errors.h"
#include "http/json_body.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

// The text of an object's only member, or why the body is not what was `expected`.
Result<std::string> only_text(std::string_view body, const char* name,
                              const std::string& expected) {
  const auto parsed = parse_json(body);
  const auto* fault = std::get_if<Error>(&parsed);
  const auto* object =
      fault == nullptr ? std::get<boost::json::value>(parsed).if_object() : nullptr;
  const auto* member = object != nullptr ? object->if_contains(name) : nullptr;
  const auto* text = member != nullptr ? member->if_string() : nullptr;
  if (text == nullptr || object->size() != 1) {
    return Error{HA_INVALID, 0,
                 "the body " + in_quotes(body) + " is not " + expected +
                     (fault != nullptr ? " (" + fault->text + ")" : "")};
  }
  return std::string(text->data(), text->size());
}

Result<std::string> master_from_json(std::string_view body) {
  auto text = only_text(body, "master", "{\"master\":\"HOST:PORT\"}, the master's HA address");
  if (const auto* fault = std::get_if<Error>(&text)) return *fault;
  auto& address = std::get<std::string>(text);
  const auto parsed = parse_host_port(address, "master");
  if (const auto* fault = std::get_if<Error>(&parsed)) return *fault;
  if (std::get<HostPort>(parsed).port == 0) {
    return Error{HA_INVALID, 0,
                 "master: " + in_quotes(address) + " has port 0; name the port the master printed"};
  }
  return std::move(address);
}

}  // namespace

Later Api::status(const Call& call) {
  Response out;
  out.body = broker_.status_json();
  // The broker knows nothing of HTTP, so its object gets one member more here.
  if (out.body.ends_with('}')) {
    out.body.pop_back();
    out.body += ",\"http\":{\"refused\":" + access_.refused_json() + "}}";
  }
  out.body += '\n';
  call.reply(std::move(out));
  return {};
}

Later Api::health(const Call& call) {
  call.reply(json_response({{"status", "OK"}}));
  return {};
}

Later Api::ready(const Call& call) {
  const auto reason = broker_.not_ready_reason();
  call.reply(reason.empty() ? json_response({{"status", "OK"}})
                            : error_response(503, "NOT_READY", reason));
  return {};
}

Later Api::metrics(const Call& call) {
  Response out;
  out.body = broker_.metrics_text();
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  call.reply(std::move(out));
  return {};
}

Later Api::promote(const Call& call) {
  Query query(call.request, {"force"});
  const bool force = query.flag("force");
  if (query.error()) {
    call.reply(error_response(*query.error()));
    return {};
  }
  reply_with_role(call, broker_.promote(force));
  return {};
}

Later Api::demote(const Call& call) {
  reply_with_role(call, broker_.demote());
  return {};
}

void Api::reply_with_role(const Call& call, const Result<std::monostate>& done) {
  const auto* error = std::get_if<Error>(&done);
  call.reply(error != nullptr
                 ? error_response(*error)
                 : json_response({{"status", "OK"}, {"role", role_name(broker_.role())}}));
}

Later Api::put_option(const Call& call) {
  const auto& key = call.args[0];
  const auto given = only_text(call.request.body, "value",
                               "{\"value\":\"TEXT\"}, the new value, numbers in quotes too");
  if (const auto* fault = std::get_if<Error>(&given)) {
    call.reply(error_response({HA_INVALID, 0, "option " + in_quotes(key) + ": " + fault->text}));
  } else {
    const auto& value = std::get<std::string>(given);
    const auto done = broker_.set_option(key, value);
    const auto* error = std::get_if<Error>(&done);
    call.reply(error != nullptr ? error_response(*error)
                                : json_response({{"status", "OK"},
                                                 {"option", repaired_utf8(key)},
                                                 {"value", repaired_utf8(value)}}));
  }
  return {};
}

Later Api::follow(const Call& call) {
  const auto master = master_from_json(call.request.body);
  if (const auto* error = std::get_if<Error>(&master)) {
    call.reply(error_response(*error));
    return {};
  }
  const auto& address = std::get<std::string>(master);
  const auto done = broker_.follow(address);
  const auto* error = std::get_if<Error>(&done);
  call.reply(error != nullptr ? error_response(*error)
                              : json_response({{"status", "OK"},
                                               {"role", role_name(broker_.role())},
                                               {"master", repaired_utf8(address)}}));
  return {};
}

}  // namespace stub::http
