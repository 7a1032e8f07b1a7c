// Status, health, metrics, and the operator's commands promote, demote and follow.

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "ha/plugin.h"
#include "http/address.h"
#include "http/api.h"
#include "http/errors.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

Response json_response(std::string body) {
  Response out;
  out.body = std::move(body) + "\n";
  return out;
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kMaster:
      return "master";
    case Role::kSlave:
      return "slave";
    case Role::kNone:
      break;
  }
  return "none";
}

Result<std::string> master_from_json(std::string_view body) {
  boost::system::error_code error;
  const auto value = boost::json::parse(boost::json::string_view(body.data(), body.size()), error);
  const auto* object = error ? nullptr : value.if_object();
  const auto* master = object != nullptr ? object->if_contains("master") : nullptr;
  const auto* text = master != nullptr ? master->if_string() : nullptr;
  if (text == nullptr || object->size() != 1) {
    return Error{HA_INVALID, 0,
                 "the body " + in_quotes(body) +
                     " is not {\"master\":\"HOST:PORT\"}, the master's HA address"};
  }
  std::string address(text->data(), text->size());
  const auto parsed = parse_host_port(address, "master");
  if (const auto* fault = std::get_if<Error>(&parsed)) return *fault;
  if (std::get<HostPort>(parsed).port == 0) {
    return Error{HA_INVALID, 0,
                 "master: " + in_quotes(address) + " has port 0; name the port the master printed"};
  }
  return address;
}

}  // namespace

std::optional<LongPoll> Api::status(const Call& call) {
  call.reply(json_response(broker_.status_json()));
  return std::nullopt;
}

std::optional<LongPoll> Api::health(const Call& call) {
  call.reply(json_response("{\"status\":\"OK\"}"));
  return std::nullopt;
}

std::optional<LongPoll> Api::ready(const Call& call) {
  const auto reason = broker_.not_ready_reason();
  call.reply(reason.empty() ? json_response("{\"status\":\"OK\"}")
                            : error_response(503, "NOT_READY", reason));
  return std::nullopt;
}

std::optional<LongPoll> Api::metrics(const Call& call) {
  Response out;
  out.body = broker_.metrics_text();
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  call.reply(std::move(out));
  return std::nullopt;
}

std::optional<LongPoll> Api::promote(const Call& call) {
  Query query(call.request, {"force"});
  const bool force = query.flag("force");
  if (query.error()) {
    call.reply(error_response(*query.error()));
    return std::nullopt;
  }
  reply_with_role(call, broker_.promote(force));
  return std::nullopt;
}

std::optional<LongPoll> Api::demote(const Call& call) {
  reply_with_role(call, broker_.demote());
  return std::nullopt;
}

void Api::reply_with_role(const Call& call, const Result<std::monostate>& done) {
  const auto* error = std::get_if<Error>(&done);
  call.reply(error != nullptr ? error_response(*error)
                              : json_response("{\"status\":\"OK\",\"role\":\"" +
                                              std::string(role_name(broker_.role())) + "\"}"));
}

std::optional<LongPoll> Api::follow(const Call& call) {
  const auto master = master_from_json(call.request.body);
  if (const auto* error = std::get_if<Error>(&master)) {
    call.reply(error_response(*error));
    return std::nullopt;
  }
  const auto& address = std::get<std::string>(master);
  const auto done = broker_.follow(address);
  const auto* error = std::get_if<Error>(&done);
  call.reply(error != nullptr ? error_response(*error)
                              : json_response("{\"status\":\"OK\",\"role\":\"" +
                                              std::string(role_name(broker_.role())) +
                                              "\",\"master\":" + json_string(address) + "}"));
  return std::nullopt;
}

}  // namespace stub::http
