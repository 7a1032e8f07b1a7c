// SPDX-License-Identifier: Apache-2.0
// /primary, /replica, /readiness and /liveness, with the meaning that they have in Patroni: what a
// load balancer asks several times a second to find the node for writes, or those for reads.

#include "http/api.h"
#include "http/errors.h"
#include "http/json_body.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::http {
namespace {

// why: "" = yes.
Response probe_response(const Standing& now, const std::string& why) {
  boost::json::object out{{"role", role_name(now.role)}};
  if (now.role == Role::kSlave && now.lag_bytes >= 0) out["lag_bytes"] = now.lag_bytes;
  if (!why.empty()) out["error"] = {{"code", "NOT_READY"}, {"message", repaired_utf8(why)}};
  auto response = json_response(out);
  if (!why.empty()) response.status = 503;
  return response;
}

std::string why_not_primary(const Standing& now) {
  return now.role == Role::kMaster ? now.refuses : "this node is not a master";
}

std::string why_not_replica(const Standing& now) {
  if (now.role != Role::kSlave) return "this node is not a slave";
  return now.follows ? "" : "this slave is not connected to a master";
}

std::string why_too_far(const Standing& now, std::int64_t most) {
  if (now.lag_bytes < 0) return "its master has not told how far its log goes";
  if (now.lag_bytes <= most) return "";
  return "this slave is " + std::to_string(now.lag_bytes) + " bytes behind its master, asked for " +
         std::to_string(most) + " at most";
}

}  // namespace

Later Api::primary(const Call& call) {
  const Standing now = broker_.standing();
  call.reply(probe_response(now, why_not_primary(now)));
  return {};
}

Later Api::replica(const Call& call) {
  Query query(call.request, {"lag"});
  const auto most = query.size("lag");
  if (query.error()) {
    call.reply(error_response(*query.error()));
    return {};
  }
  const Standing now = broker_.standing();
  std::string why = why_not_replica(now);
  if (why.empty() && most) why = why_too_far(now, *most);
  call.reply(probe_response(now, why));
  return {};
}

Later Api::readiness(const Call& call) {
  const Standing now = broker_.standing();
  call.reply(probe_response(now, now.role == Role::kMaster ? "" : why_not_replica(now)));
  return {};
}

Later Api::liveness(const Call& call) {
  call.reply(json_response({{"role", role_name(broker_.role())}}));
  return {};
}

}  // namespace stub::http
