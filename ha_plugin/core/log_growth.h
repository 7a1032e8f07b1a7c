// SPDX-License-Identifier: Apache-2.0
// How fast a log grows, measured once a second.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::core {

class LogGrowth {
 public:
  void measure(Offset end, double seconds) {
    const std::int64_t grown = end_ == kNoOffset ? 0 : end - end_;
    end_ = end;
    last_ =
        static_cast<std::int64_t>(static_cast<double>(std::max<std::int64_t>(grown, 0)) / seconds);
    smoothed_ += (static_cast<double>(last_) - smoothed_) * kWeight;
  }
  // Bytes per second, of the last full second.
  std::int64_t last() const { return last_; }
  // The same, over ten seconds or so.
  double smoothed() const { return smoothed_; }

 private:
  static constexpr double kWeight = 0.1;

  Offset end_ = kNoOffset;
  std::int64_t last_ = 0;
  double smoothed_ = 0;
};

}  // namespace ha::core
