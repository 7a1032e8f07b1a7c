// SPDX-License-Identifier: Apache-2.0
// A rate limit in bytes per second, for the bodies that a replica is sent.
//
// The bucket holds a tenth of a second's worth (kBurst), so that pacing is smooth and a limit holds
// over any second to within 10 %. Frames are sent when at least kLeast bytes are allowed: a trickle
// of tiny frames would cost more in headers and wake-ups than it moves.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ha_plugin/core/assert.h"
#include "ha_plugin/core/types.h"

namespace ha::core {

class TokenBucket {
 public:
  // 0 = no limit.
  void set_rate(Time now, std::int64_t bytes_per_s) {
    refill(now);
    rate_ = bytes_per_s;
    tokens_ = std::min(tokens_, capacity());
  }

  // Bytes that may go now; 0 = none yet.
  std::int64_t allowance(Time now) {
    if (rate_ == 0) return INT64_MAX;
    refill(now);
    return tokens_ >= least() ? tokens_ : 0;
  }

  void take(std::int64_t bytes) {
    if (rate_ != 0) tokens_ -= bytes;
  }

  // When allowance will be more than 0. REQUIRES: it was 0 at now.
  Time ready_at(Time now) const {
    HA_ASSERT(rate_ > 0);
    const auto missing = static_cast<double>(least() - tokens_);
    return now + Time(static_cast<std::int64_t>(missing * 1e9 / static_cast<double>(rate_)) + 1);
  }

 private:
  static constexpr std::int64_t kBurst = 10;     // 1/10 of a second
  static constexpr std::int64_t kLeast = 16384;  // bytes, or a whole bucket if that is smaller

  std::int64_t capacity() const { return std::max<std::int64_t>(rate_ / kBurst, 1); }
  std::int64_t least() const { return std::min(capacity(), kLeast); }

  void refill(Time now) {
    const Time passed = std::max(now - filled_at_, Time{0});
    if (rate_ != 0) {
      // A bucket is full after 1/kBurst s: more would only overflow the product.
      const auto ns = std::min<std::int64_t>(passed.count(), 1'000'000'000);
      const auto rate = static_cast<double>(rate_);
      const auto add = static_cast<std::int64_t>(static_cast<double>(ns) * rate / 1e9);
      tokens_ = std::min(tokens_ + add, capacity());
      // Whole bytes are credited, so only their time is used up: a bucket that is asked at every
      // append would otherwise lose a fraction each time.
      if (ns == passed.count()) {
        filled_at_ += Time(static_cast<std::int64_t>(static_cast<double>(add) * 1e9 / rate));
        return;
      }
    }
    filled_at_ = now;
  }

  std::int64_t rate_ = 0;
  std::int64_t tokens_ = 0;
  Time filled_at_{};
};

}  // namespace ha::core
