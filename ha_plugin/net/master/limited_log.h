// SPDX-License-Identifier: Apache-2.0
// The host's log, for lines that a peer can cause at will: core::LineLimiter bounds each kind.
#pragma once

#include <cstdint>
#include <string>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/core/line_limiter.h"
#include "ha_plugin/host/host.h"

namespace ha::net {

class LimitedLog {
 public:
  explicit LimitedLog(const Host& host) : host_(host) {}

  // kind completes "and 7 more ...".
  void log(std::int32_t level, const std::string& kind, const std::string& text,
           std::int64_t burst = core::LineLimiter::kBurst) {
    if (lines_.admit(steady_now(), kind, level, burst)) host_.log(level, text);
  }
  // Says how many lines were held back, in each window that is over; at_end: or is not.
  void turn(core::Time now, bool at_end = false) {
    lines_.turn(
        now, [this](std::int32_t level, const std::string& text) { host_.log(level, text); },
        at_end);
  }

 private:
  const Host& host_;
  core::LineLimiter lines_;
};

}  // namespace ha::net
