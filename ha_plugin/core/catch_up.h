// SPDX-License-Identifier: Apache-2.0
// A replica that is far behind: how fast it is sent what it lacks, and whether it comes nearer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::core {

// Behind by more than this a replica catches up: live traffic keeps less than that in flight, be it
// a second of a fast disk's on a slow network.
inline constexpr std::int64_t kLiveTailBytes = std::int64_t{8} << 20;

// Bytes per second that a replica is sent; 0 = no limit. most: for any replica; catch_up: for one
// that catches up, on top of the log's growth, so that however little it is, it gets there.
constexpr std::int64_t pace(std::int64_t most, std::int64_t catch_up, std::int64_t growth) {
  if (catch_up == 0) return most;
  const std::int64_t paced = catch_up + growth;
  return most == 0 ? paced : std::min(most, paced);
}

class CatchUpWatch {
 public:
  // It has not come nearer for a while.
  bool stalled() const { return stalled_; }

  // Returns true if stalled() changed.
  bool look(std::int64_t lag, Time now, Time patience) {
    const bool before = stalled_;
    if (lag <= kLiveTailBytes || lag < least_) {
      least_ = lag <= kLiveTailBytes ? INT64_MAX : lag;
      since_ = now;
      stalled_ = false;
    } else if (now - since_ >= patience) {
      stalled_ = true;
    }
    return stalled_ != before;
  }

 private:
  std::int64_t least_ = INT64_MAX;
  Time since_{};
  bool stalled_ = false;
};

}  // namespace ha::core
