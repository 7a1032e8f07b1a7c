// SPDX-License-Identifier: Apache-2.0
// A slave's side of RocketMQ's HA protocol: what it asks for, what it takes, what it acknowledges.
//
// The slave asks for its log's end and takes bytes only at its log's end. It never cuts anything:
// what does not fit ends the connection with a reason, and the reason says whether trying again can
// help.
//
// An empty log (nothing held, nothing ever held: it starts and ends at 0) takes any first offset
// that is a segment's start, since a master whose log has rolled starts there. If it is no
// segment's start here, the master's segments have another size.
#pragma once

#include <cstdint>
#include <string>

#include "ha_plugin/core/types.h"

namespace ha::core {

// RocketMQ's slave cannot take header and body of more than 4 MiB together; nobody may send more.
inline constexpr std::int64_t kMaxFrameBytes = std::int64_t{4} << 20;
inline constexpr std::int64_t kFrameHeaderBytes = 12;
inline constexpr std::int64_t kMaxBodyBytes = kMaxFrameBytes - kFrameHeaderBytes;

// A frame's body has to grow by this much in the time that a master may be silent. Heartbeats are
// far fewer bytes in that time, and a link on which a slave can follow brings far more.
inline constexpr std::int64_t kTrickleBytes = 4096;

struct FrameVerdict {
  Reason reason = Reason::kNone;  // kNone = take it; else close
  bool reset = false;             // first restart the empty log at the frame's offset
  std::string text;               // what is wrong, where the reason does not say it all
};

// May a frame with this header become part of a log with these bounds?
FrameVerdict judge_frame(Offset offset, std::int64_t size, const LogBounds& log);

// Does the same happen again however often the slave reconnects? Then it stops (SUSPEND) until an
// operator changes something.
constexpr bool is_final(Reason reason) { return is_of_kind(reason, lists::kFinal); }

// Does it happen again until somebody mends the master, or its configuration? Then the slave tries
// again at the longest pause.
constexpr bool is_up_to_the_master(Reason reason) { return is_of_kind(reason, lists::kUpToMaster); }

class Follower {
 public:
  explicit Follower(Time now) : last_read_(now), last_write_(now) {}

  // Bytes came. whole: no frame's body is incomplete now. While one is, the master counts as heard
  // only when the body has grown by kTrickleBytes: if a bit of the frame's size was flipped, the
  // slave takes heartbeats for the rest of the body.
  void on_bytes(Time now, std::int64_t bytes, bool whole) {
    trickle_ += bytes;
    if (!whole && trickle_ < kTrickleBytes) return;
    trickle_ = 0;
    last_read_ = now;
  }
  void on_frame() { state_ = State::kTransfer; }
  void on_report_sent(Time now, Offset end) {
    last_write_ = now;
    reported_ = end;
  }

  // Is a report due, given the log's end: the first, one after growth, or the heartbeat?
  bool report_due(Time now, Offset end, Time heartbeat) const {
    return end > reported_ || now - last_write_ >= heartbeat;
  }

  bool silent(Time now, Time housekeeping) const { return now - last_read_ >= housekeeping; }
  // When to ask for either again. can_send: false while a report is stuck in the socket.
  Time next_check(Time heartbeat, Time housekeeping, bool can_send) const;

  State state() const { return state_; }
  Time last_read() const { return last_read_; }
  Offset reported() const { return reported_; }

 private:
  Time last_read_;
  std::int64_t trickle_ = 0;  // bytes that have not counted
  Time last_write_;
  Offset reported_ = kNoOffset;
  State state_ = State::kHandshake;
};

}  // namespace ha::core
