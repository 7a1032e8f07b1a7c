// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/claims.h"

#include <fmt/format.h>

#include "ha_plugin/host/host.h"

namespace ha {

HostResult check_end(const Host& host, HostResult result, const char* hook, core::Offset want) {
  if (!result.ok()) return result;
  ha_bounds now{};
  if (HostResult r = host.bounds(now); !r.ok()) return r;
  if (now.end == want.bytes()) return result;
  return report_misuse(
      host, fmt::format("host hook '{}' answered OK, but the log ends at {} and not at {}: a hook "
                        "that cannot do what it was asked must answer an error",
                        hook, now.end, want.bytes()));
}

HostResult report_misuse(const Host& host, const std::string& what) {
  host.log(HA_LOG_HOST_MISUSE, what);
  return misuse(what);
}

}  // namespace ha
