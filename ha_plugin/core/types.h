// SPDX-License-Identifier: Apache-2.0
// The values that the rules of replication speak in. The numbers of Status, Reason, State and Role
// are the ABI's. This layer includes only the standard library and the list of those numbers, so
// that a simulation can run it under any clock, network and disk.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

#include "plugin_api/lists/numbers.h"

namespace ha::core {

// An instant or a duration on one steady clock; it always comes in as an argument.
using Time = std::chrono::nanoseconds;

inline constexpr Time kNever = Time::max();

// A byte position in the log.
class Offset {
 public:
  constexpr Offset() = default;
  constexpr explicit Offset(std::int64_t bytes) : bytes_(bytes) {}
  constexpr std::int64_t bytes() const { return bytes_; }

  friend constexpr auto operator<=>(Offset, Offset) = default;
  friend constexpr Offset operator+(Offset o, std::int64_t n) { return Offset(o.bytes_ + n); }
  friend constexpr std::int64_t operator-(Offset a, Offset b) { return a.bytes_ - b.bytes_; }

 private:
  std::int64_t bytes_ = 0;
};

// Epochs count from 1, and none is above this, wherever it comes from: a message, a file, a sum. So
// the arithmetic of those who count on has room, whatever a peer says.
inline constexpr std::int64_t kMaxEpoch = std::int64_t{1} << 62;
constexpr bool is_epoch(std::int64_t epoch) { return epoch >= 0 && epoch <= kMaxEpoch; }
// epoch + by, or the greatest there is.
constexpr std::int64_t epoch_above(std::int64_t epoch, std::int64_t by = 1) {
  return epoch > kMaxEpoch - by ? kMaxEpoch : epoch + by;
}

inline constexpr Offset kNoOffset{-1};  // "has not reported yet", "fewer copies than that exist"

// What the host says its log holds: [min, end), in segments of one size.
struct LogBounds {
  Offset min;
  Offset end;
  std::int64_t segment_size = 1;
  Offset durable{0};  // bytes below survive a loss of power

  Offset segment_start(Offset o) const { return Offset(o.bytes() - o.bytes() % segment_size); }
  std::int64_t to_segment_end(Offset o) const { return segment_size - o.bytes() % segment_size; }
};

enum class Status : std::int32_t {
#define HA_ROW(name, enumerator, number) k##enumerator = number,
  HA_STATUSES(HA_ROW)
#undef HA_ROW
};

enum class Role : std::int32_t { kNone = 0, kMaster = 1, kSlave = 2 };

enum class State : std::int32_t {
  kReady = 0,
  kHandshake = 1,
  kTransfer = 2,
  kSuspend = 3,
  kShutdown = 4,
};

enum class Reason : std::int32_t {
#define HA_ROW(name, enumerator, number, kinds) k##enumerator = number,
  HA_REASONS(HA_ROW)
#undef HA_ROW
};

constexpr bool is_of_kind(Reason reason, lists::ReasonKind kind) {
  return lists::is_of_kind(static_cast<std::size_t>(reason), kind);
}

// Why something cannot be or go on, in words; ok() = it can.
struct Refusal {
  Reason reason = Reason::kNone;
  std::string text;
  bool ok() const { return reason == Reason::kNone; }
};

}  // namespace ha::core
