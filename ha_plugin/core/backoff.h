// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next try to connect: quick at first, doubling, with jitter, bounded.
//
// Jitter keeps many slaves from coming back in step after their master's restart. The random number
// comes in as an argument.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::core {

class Backoff {
 public:
  // Between half and all of the present step, which is at most `most`; the step then doubles.
  Time next(std::uint64_t random, Time most) {
    const Time step = std::min(step_, most);
    step_ = std::min(step * 2, most);
    const Time half = step / 2;
    return half +
           Time(static_cast<std::int64_t>(random % (static_cast<std::uint64_t>(half.count()) + 1)));
  }

  void reset() { step_ = kFirst; }

 private:
  static constexpr Time kFirst =
      std::chrono::milliseconds(50);  // a restarting peer is back in 20-50

  Time step_ = kFirst;
};

}  // namespace ha::core
