// SPDX-License-Identifier: Apache-2.0
#include "http/errors.h"

#include <array>

#include "ha/plugin.h"
#include "http/json_body.h"
#include "http/text.h"

namespace stub::http {
namespace {

// Index = -status. OK stands for DONE too: to a client both mean "done".
constexpr std::array<std::string_view, 20> kNames = {"OK",
                                                     "INVALID",
                                                     "STATE",
                                                     "UNSUPPORTED",
                                                     "VERSION",
                                                     "AGAIN",
                                                     "TIMEOUT",
                                                     "SHUTDOWN",
                                                     "RANGE",
                                                     "CONFLICT",
                                                     "EPOCH",
                                                     "NOT_MASTER",
                                                     "TRUNCATED",
                                                     "IO",
                                                     "NO_MEMORY",
                                                     "CORRUPT",
                                                     "INTERNAL",
                                                     "SLAVE_NOT_AVAILABLE",
                                                     "FLUSH_SLAVE_TIMEOUT",
                                                     "IN_SYNC_REPLICAS_NOT_ENOUGH"};

}  // namespace

std::string_view status_name(std::int32_t status) {
  if (status >= 0) return kNames[0];
  const auto index = -static_cast<std::int64_t>(status);
  return index < static_cast<std::int64_t>(kNames.size()) ? kNames[static_cast<std::size_t>(index)]
                                                          : status_name(HA_INTERNAL);
}

int http_status(std::int32_t status) {
  if (status >= 0) return 200;
  switch (status) {
    case HA_INVALID:
    case HA_RANGE:
    case HA_UNSUPPORTED:
      return 400;
    case HA_STATE:
    case HA_CONFLICT:
    case HA_EPOCH:
      return 409;
    case HA_NOT_MASTER:  // "Misdirected Request": another node would take it
      return 421;
    case HA_AGAIN:
    case HA_SHUTDOWN:
    case HA_IO:  // a full disk, above all: it may be fixed while the broker runs
    case HA_NO_MEMORY:
    case HA_SLAVE_NOT_AVAILABLE:
    case HA_IN_SYNC_REPLICAS_NOT_ENOUGH:
      return 503;
    case HA_TIMEOUT:
    case HA_FLUSH_SLAVE_TIMEOUT:
      return 504;
    default:
      return 500;
  }
}

Response error_response(int http, std::string_view code, std::string_view message) {
  Response out = json_response({{"error", {{"code", code}, {"message", repaired_utf8(message)}}}});
  out.status = http;
  return out;
}

Response error_response(const Error& error) {
  return error_response(http_status(error.status), status_name(error.status), error.text);
}

}  // namespace stub::http
