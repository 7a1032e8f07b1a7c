// SPDX-License-Identifier: Apache-2.0
// Is a replica in the in-sync set? Judged for one connection, from its lag and the clock.
//
// It enters as soon as its lag is within the limits, and leaves when it is not. A replica that left
// so must show that it can keep up: it enters again only after it was caught up once and then
// stayed within the limits for the hold time. So a replica at the edge does not come and go, and
// with it the number of copies that "all in sync" stands for.
#pragma once

#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::core {

struct InSyncLimits {
  std::int64_t lag_bytes = INT64_MAX;  // behind by so much is too much
  Time lag_time = kNever;              // the oldest byte that is missing may be so old
  Time hold{0};
};

struct Lag {
  std::int64_t bytes = 0;
  Time time{0};            // age of the oldest byte that is missing
  bool caught_up = false;  // it holds what all nodes must hold by now
};

class InSyncMember {
 public:
  bool in() const { return in_; }
  // Why it left last; kNone = it has not.
  Reason left_for() const { return left_for_; }

  // Returns true if in() changed.
  bool judge(const Lag& lag, const InSyncLimits& limits, Time now) {
    const Reason over = too_much(lag, limits);
    if (over != Reason::kNone) {
      caught_up_ = false;
      within_since_ = kNever;
      if (!in_) return false;
      left_for_ = over;
      in_ = false;
      return true;
    }
    if (in_) return false;
    caught_up_ = caught_up_ || lag.caught_up;
    if (left_for_ != Reason::kNone) {
      if (!caught_up_) return false;
      if (within_since_ == kNever) within_since_ = now;
      if (now - within_since_ < limits.hold) return false;
    }
    in_ = true;
    return true;
  }

 private:
  static Reason too_much(const Lag& lag, const InSyncLimits& limits) {
    if (lag.bytes >= limits.lag_bytes) return Reason::kLagBytes;
    if (lag.time > limits.lag_time) return Reason::kLagTime;
    return Reason::kNone;
  }

  bool in_ = false;
  Reason left_for_ = Reason::kNone;
  bool caught_up_ = false;
  Time within_since_ = kNever;
};

}  // namespace ha::core
