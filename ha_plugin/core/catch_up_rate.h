// SPDX-License-Identifier: Apache-2.0
// How many bytes per second a replica that catches up is sent, so that it does not slow producers.
//
// A catch-up takes CPU, disk and network from live traffic, on both sides. The master cannot
// measure that, but it sees how long producers wait for their copies. The rate rises while those
// waits are as usual. It is halved when the slowest 1 % of them take over 1.5 times as long as they
// do without a catch-up. While no producer waits there is no limit. What the host loses before
// a wait begins is not measured. The caller leaves out waits that the replica that catches up has
// ended.
//
// Waits are judged in windows of 100 ms. A window with fewer than kEnough waits goes on until it
// has them, for a second at most.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::core {

class CatchUpRate {
 public:
  // It begins at kLeast, and is never below: a catch-up must end.
  static constexpr std::int64_t kLeast = std::int64_t{32} << 20;
  static constexpr std::int64_t kMost = std::int64_t{1} << 30;
  // Waits up to this long never slow a catch-up.
  static constexpr Time kShort = std::chrono::microseconds(500);

  // A producer has its copies after that long.
  void on_wait(Time took, Time now) {
    end_window_if_due(now);
    ++waits_;
    ++by_length_[slot(took)];
  }

  // Bytes per second for a replica that catches up now; 0 = no limit. waiting: a producer waits for
  // other replicas.
  std::int64_t at(Time now, bool waiting = false) {
    waiting_ = waiting;
    end_window_if_due(now);
    asked_ = true;
    return rate_;
  }

 private:
  static constexpr std::uint32_t kEnough = 100;
  static constexpr std::uint32_t kFew = 20;  // waits: usual_ needs as many
  static constexpr Time kShortestWindow = std::chrono::milliseconds(100);
  static constexpr Time kLongestWindow = std::chrono::seconds(1);

  // Four slots for each power of two of microseconds.
  static constexpr std::size_t kSlots = 128;
  static std::size_t slot(Time took) {
    const auto us = static_cast<std::uint64_t>(std::clamp<std::int64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count(), 4, UINT32_MAX));
    const auto power = static_cast<std::size_t>(std::bit_width(us)) - 1;
    return 4 * (power - 2) + ((us >> (power - 2)) & 3);
  }
  // The longest wait that belongs there.
  static Time top(std::size_t slot) {
    return std::chrono::microseconds((std::int64_t{5} + static_cast<std::int64_t>(slot % 4))
                                     << (slot / 4));
  }

  void end_window_if_due(Time now) {
    const Time open = now - begun_;
    if (open < kShortestWindow || (waits_ < kEnough && open < kLongestWindow)) return;
    if (open >= 2 * kLongestWindow) waits_ = 0;  // they were long ago
    judge();
    begun_ = now;
    waits_ = 0;
    by_length_ = {};
    asked_ = false;
  }

  void judge() {
    if (waits_ == 0) {
      // Without a producer there is no limit. One that gets no answer may suffer from the catch-up.
      rate_ = waiting_ ? std::max(kLeast, rate_) : 0;
      return;
    }
    const Time slow = slowest_hundredth();
    const bool known = usual_ != Time{};
    // usual_ falls at once. It rises slowly, so that a time without enough copies does not count.
    // It rises only while no catch-up can be the cause. At kLeast it hardly can.
    const bool calm = !asked_ || rate_ == kLeast;
    if (waits_ >= kFew && (known || calm)) {
      const Time more = !asked_ ? usual_ / 8 : calm ? usual_ / 32 : Time{};
      usual_ = known ? std::min(slow, usual_ + more) : slow;
    }
    if (!asked_ || rate_ == 0) {
      rate_ = kLeast;
    } else if (!known) {
      // This window at kLeast was the measurement. Stay there for one more.
    } else if (slow > std::max(kShort, usual_ + usual_ / 2)) {
      rate_ = std::max(kLeast, rate_ / 2);
    } else {
      rate_ = std::min(kMost, rate_ + rate_ / 8);
    }
  }

  // All but a hundredth of the waits were no longer, or all but one where that is more.
  Time slowest_hundredth() const {
    std::uint32_t longer = 0;
    std::size_t at = kSlots;
    while (at > 0 && longer <= std::max<std::uint32_t>(1, waits_ / 100)) longer += by_length_[--at];
    return top(at);
  }

  Time begun_{};
  std::uint32_t waits_ = 0;
  std::array<std::uint32_t, kSlots> by_length_{};
  bool asked_ = false;  // a replica catches up
  bool waiting_ = false;
  Time usual_{};  // of the slowest hundredth without a catch-up; 0 = not known
  std::int64_t rate_ = 0;
};

}  // namespace ha::core
