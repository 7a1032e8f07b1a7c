// SPDX-License-Identifier: Apache-2.0
// The one place where the plugin reads clocks.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::net {

inline core::Time steady_now() {
  return std::chrono::duration_cast<core::Time>(
      std::chrono::steady_clock::now().time_since_epoch());
}

// Goes on while the machine sleeps, which steady_now does not.
inline core::Time boottime_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

inline std::chrono::steady_clock::time_point to_time_point(core::Time t) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(t));
}

inline std::int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace ha::net
