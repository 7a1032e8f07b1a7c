// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/host_result.h"

#include <fmt/format.h>

#include <cstring>

#include "metrics/names.h"

namespace ha {

core::Status known(std::int32_t status) {
  if (status > HA_DONE || status < HA_IN_SYNC_REPLICAS_NOT_ENOUGH) return core::Status::kInternal;
  return static_cast<core::Status>(status);
}

ha_error empty_error() {
  ha_error error{};
  error.struct_size = sizeof(error);
  return error;
}

HostResult result_of(std::int32_t status, const ha_error& error, const char* hook) {
  HostResult result{known(status), {}, false};
  if (status == HA_OK) return result;
  result.text = fmt::format("host hook '{}' answered {}", hook, metrics::status_name(status));
  const std::size_t length = strnlen(error.text, sizeof(error.text));
  if (length > 0) result.text += ": " + std::string(error.text, length);
  if (error.os_errno != 0) {
    char words[128];
    result.text += fmt::format(" ({})", strerror_r(error.os_errno, words, sizeof(words)));
  }
  return result;
}

HostResult misuse(const std::string& what) { return {core::Status::kInternal, what, true}; }

}  // namespace ha
