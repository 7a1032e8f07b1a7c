// SPDX-License-Identifier: Apache-2.0
// The values that the rules of replication speak in. The numbers of Status, Reason, State and Role
// are the ABI's (plugin_api); entry.cc asserts that they agree. This layer includes only the
// standard library, so that a simulation can run it under any clock, network and disk.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

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
  kOk = 0,
  kDone = 1,
  kInvalid = -1,
  kState = -2,
  kUnsupported = -3,
  kVersion = -4,
  kAgain = -5,
  kTimeout = -6,
  kShutdown = -7,
  kRange = -8,
  kConflict = -9,
  kEpoch = -10,
  kNotMaster = -11,
  kTruncated = -12,
  kIo = -13,
  kNoMemory = -14,
  kCorrupt = -15,
  kInternal = -16,
  kSlaveNotAvailable = -17,
  kFlushSlaveTimeout = -18,
  kInSyncReplicasNotEnough = -19,
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
  kNone = 0,
  kRequested = 1,
  kShutdown = 2,
  kRoleChanged = 3,
  kPeerClosed = 4,
  kNetwork = 5,
  kHousekeeping = 6,
  kFirstReportTimeout = 7,
  kConnectionLimit = 8,
  kNotAllowed = 9,
  kReportAhead = 10,
  kReportBackward = 11,
  kRequestBelowMin = 12,
  kRequestAboveEnd = 13,
  kOffsetMismatch = 14,
  kSegmentSize = 15,
  kFrameSize = 16,
  kHostError = 17,
  kCorrupt = 18,
  kConnectTimeout = 19,
  kNotServing = 20,
  kDiverged = 21,
  kEpoch = 22,
  kTruncated = 23,
  kProtocol = 24,
  kVersion = 25,
  kCluster = 26,
  kUnknownReplica = 27,
  kReplaced = 28,
  kChecksum = 29,
  kBehind = 30,
  kNoQuorum = 31,
  kLagBytes = 32,
  kLagTime = 33,
  kLoop = 34,
  kSetDiffers = 35,
  kHostMisuse = 36,
};

}  // namespace ha::core
