// SPDX-License-Identifier: Apache-2.0
// Every status and reason of plugin.h, once. core's enums, the names in logs, labels and JSON, and
// the rules that ask what kind of reason one is all come from these rows. plugin.h defines the same
// numbers and says what each means; metrics/names.cc does not compile when the two differ, and a
// test fails when a number of plugin.h has no row. To add one: its #define there, its row here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ha::lists {

// What kinds of reason there are; a reason may be of several.
enum ReasonKind : std::uint8_t {
  kPlain = 0,
  kViolation = 1,   // the peer broke the protocol, or its log contradicts this one
  kRefusal = 2,     // a master may refuse a slave for it, in words, on the native wire
  kFinal = 4,       // connecting again cannot help: the slave stops (SUSPEND) until somebody acts
  kUpToMaster = 8,  // only a change at the master helps: the slave tries at the longest pause
};

}  // namespace ha::lists

// clang-format off
// X(name, enumerator, number): HA_<name>, core::Status::k<enumerator>.
#define HA_STATUSES(X) \
  X(OK,                          Ok,                      0)   \
  X(DONE,                        Done,                    1)   \
  X(INVALID,                     Invalid,                 -1)  \
  X(STATE,                       State,                   -2)  \
  X(UNSUPPORTED,                 Unsupported,             -3)  \
  X(VERSION,                     Version,                 -4)  \
  X(AGAIN,                       Again,                   -5)  \
  X(TIMEOUT,                     Timeout,                 -6)  \
  X(SHUTDOWN,                    Shutdown,                -7)  \
  X(RANGE,                       Range,                   -8)  \
  X(CONFLICT,                    Conflict,                -9)  \
  X(EPOCH,                       Epoch,                   -10) \
  X(NOT_MASTER,                  NotMaster,               -11) \
  X(TRUNCATED,                   Truncated,               -12) \
  X(IO,                          Io,                      -13) \
  X(NO_MEMORY,                   NoMemory,                -14) \
  X(CORRUPT,                     Corrupt,                 -15) \
  X(INTERNAL,                    Internal,                -16) \
  X(SLAVE_NOT_AVAILABLE,         SlaveNotAvailable,       -17) \
  X(FLUSH_SLAVE_TIMEOUT,         FlushSlaveTimeout,       -18) \
  X(IN_SYNC_REPLICAS_NOT_ENOUGH, InSyncReplicasNotEnough, -19)

// X(name, enumerator, number, kinds): HA_REASON_<name>, core::Reason::k<enumerator>. Numbers count
// from 0 without a gap.
#define HA_REASONS(X) \
  X(NONE,                 None,               0,  kPlain)                              \
  X(REQUESTED,            Requested,          1,  kPlain)                              \
  X(SHUTDOWN,             Shutdown,           2,  kPlain)                              \
  X(ROLE_CHANGED,         RoleChanged,        3,  kPlain)                              \
  X(PEER_CLOSED,          PeerClosed,         4,  kPlain)                              \
  X(NETWORK,              Network,            5,  kPlain)                              \
  X(HOUSEKEEPING,         Housekeeping,       6,  kPlain)                              \
  X(FIRST_REPORT_TIMEOUT, FirstReportTimeout, 7,  kPlain)                              \
  X(CONNECTION_LIMIT,     ConnectionLimit,    8,  kPlain)                              \
  X(NOT_ALLOWED,          NotAllowed,         9,  kPlain)                              \
  X(REPORT_AHEAD,         ReportAhead,        10, kViolation)                          \
  X(REPORT_BACKWARD,      ReportBackward,     11, kViolation)                          \
  X(REQUEST_BELOW_MIN,    RequestBelowMin,    12, kRefusal)                            \
  X(REQUEST_ABOVE_END,    RequestAboveEnd,    13, kViolation | kRefusal | kUpToMaster) \
  X(OFFSET_MISMATCH,      OffsetMismatch,     14, kViolation | kUpToMaster)            \
  X(SEGMENT_SIZE,         SegmentSize,        15, kViolation | kRefusal | kFinal)      \
  X(FRAME_SIZE,           FrameSize,          16, kViolation)                          \
  X(HOST_ERROR,           HostError,          17, kRefusal)                            \
  X(CORRUPT,              Corrupt,            18, kViolation | kFinal)                 \
  X(CONNECT_TIMEOUT,      ConnectTimeout,     19, kPlain)                              \
  X(NOT_SERVING,          NotServing,         20, kRefusal)                            \
  X(DIVERGED,             Diverged,           21, kViolation | kRefusal | kFinal)      \
  X(EPOCH,                Epoch,              22, kViolation | kRefusal | kUpToMaster) \
  X(TRUNCATED,            Truncated,          23, kPlain)                              \
  X(PROTOCOL,             Protocol,           24, kViolation | kRefusal | kUpToMaster) \
  X(VERSION,              Version,            25, kRefusal | kUpToMaster)              \
  X(CLUSTER,              Cluster,            26, kRefusal | kUpToMaster)              \
  X(UNKNOWN_REPLICA,      UnknownReplica,     27, kRefusal | kUpToMaster)              \
  X(REPLACED,             Replaced,           28, kRefusal | kUpToMaster)              \
  X(CHECKSUM,             Checksum,           29, kViolation)                          \
  X(BEHIND,               Behind,             30, kPlain)                              \
  X(NO_QUORUM,            NoQuorum,           31, kPlain)                              \
  X(LAG_BYTES,            LagBytes,           32, kPlain)                              \
  X(LAG_TIME,             LagTime,            33, kPlain)                              \
  X(LOOP,                 Loop,               34, kUpToMaster)                         \
  X(SET_DIFFERS,          SetDiffers,         35, kRefusal | kUpToMaster)              \
  X(HOST_MISUSE,          HostMisuse,         36, kFinal)                              \
  X(TLS,                  Tls,                37, kUpToMaster)                         \
  X(IDENTITY,             Identity,           38, kViolation | kRefusal | kUpToMaster) \
  X(COORDINATOR,          Coordinator,        39, kPlain)                              \
  X(MASTER_HEARD,         MasterHeard,        40, kPlain)
// clang-format on

namespace ha::lists {

#define HA_ROW(name, enumerator, number) +(number <= 0 ? 1 : 0)
inline constexpr std::size_t kStatusSlots = HA_STATUSES(HA_ROW);  // by -status, DONE with OK
#undef HA_ROW
#define HA_ROW(name, enumerator, number, kinds) +1
inline constexpr std::size_t kReasonSlots = HA_REASONS(HA_ROW);
#undef HA_ROW

// reason: a peer may have sent it, so it may be none of HA_REASON_*, which is of no kind.
constexpr bool is_of_kind(std::size_t reason, ReasonKind kind) {
  constexpr int kKinds[] = {
#define HA_ROW(name, enumerator, number, kinds) kinds,
      HA_REASONS(HA_ROW)
#undef HA_ROW
  };
  return reason < kReasonSlots && (kKinds[reason] & kind) != 0;
}

}  // namespace ha::lists
