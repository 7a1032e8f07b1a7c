// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/replica_session.h"

#include <algorithm>

#include "ha_plugin/core/assert.h"

namespace ha::core {

Offset bootstrap_start(const LogBounds& log, Bootstrap bootstrap) {
  if (bootstrap == Bootstrap::kEarliest) return log.min;
  return std::max(log.segment_start(log.end), log.min);
}

void ReplicaSession::accept(Offset start) {
  ack_ = durable_ = Offset(0);
  start_ = next_ = start;
}

Reason ReplicaSession::on_ack(Offset received, Offset durable, bool entered, Offset epoch_start) {
  HA_ASSERT(start_ != kNoOffset);
  if (received < told_received_ || durable < told_durable_) return Reason::kReportBackward;
  if (received > std::max(start_, next_) || durable > received) return Reason::kReportAhead;
  told_received_ = received;
  told_durable_ = durable;
  if (!entered) return Reason::kNone;
  ack_ = received;
  durable_ = durable < epoch_start ? Offset(0) : durable;
  return Reason::kNone;
}

Reason ReplicaSession::on_report(Offset value, const LogBounds& log, Bootstrap bootstrap) {
  if (reported()) {
    if (value < ack_) return Reason::kReportBackward;
    if (value > std::max(start_, next_)) return Reason::kReportAhead;
    ack_ = value;
    return Reason::kNone;
  }
  if (value == Offset(0)) {
    start_ = bootstrap_start(log, bootstrap);
  } else {
    // A negative number is a request above the end in RocketMQ's own unsigned sense of "not a
    // position"; native openings will be told apart from it before it comes here.
    if (value > log.end || value < Offset(0)) return Reason::kRequestAboveEnd;
    if (value < log.min) return Reason::kRequestBelowMin;
    start_ = value;
  }
  ack_ = value;
  next_ = start_;
  return Reason::kNone;
}

std::optional<Frame> ReplicaSession::next_frame(Time now, const LogBounds& log,
                                                std::int64_t allowance,
                                                const SessionOptions& options) const {
  if (!reported()) return std::nullopt;
  const std::int64_t size =
      std::min({log.end - next_, log.to_segment_end(next_), options.batch_bytes, allowance});
  if (size > 0) return Frame{next_, size};
  // The first frame is never put off: it tells the replica at once that its offset was accepted.
  if (!greeted_ || now - last_write_ >= options.heartbeat) return Frame{next_, 0};
  return std::nullopt;
}

void ReplicaSession::on_frame_started(const Frame& frame) {
  HA_ASSERT(frame.offset == next_);
  greeted_ = true;
  next_ = frame.end();
}

Reason ReplicaSession::check_silence(Time now, const SessionOptions& options) const {
  if (!reported() && now - opened_ >= options.first_report_timeout) {
    return Reason::kFirstReportTimeout;
  }
  if (reported() && now - last_read_ >= options.housekeeping) return Reason::kHousekeeping;
  return Reason::kNone;
}

Time ReplicaSession::next_check(const SessionOptions& options, bool can_send) const {
  if (!reported()) return opened_ + options.first_report_timeout;
  const Time silence = last_read_ + options.housekeeping;
  return can_send ? std::min(silence, last_write_ + options.heartbeat) : silence;
}

}  // namespace ha::core
