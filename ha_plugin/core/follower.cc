// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/follower.h"

#include <algorithm>

namespace ha::core {

FrameVerdict judge_frame(Offset offset, std::int64_t size, const LogBounds& log) {
  if (size < 0 || size > kMaxBodyBytes) return {Reason::kFrameSize, false, {}};
  if (offset < Offset(0) || offset.bytes() > INT64_MAX - size)
    return {Reason::kOffsetMismatch, false, {}};
  const bool empty = log.min == Offset(0) && log.end == Offset(0);
  const bool reset = empty && offset != log.end;
  if (reset && offset.bytes() % log.segment_size != 0) return {Reason::kSegmentSize, false, {}};
  if (!reset && offset != log.end) return {Reason::kOffsetMismatch, false, {}};
  if (size > log.to_segment_end(offset)) return {Reason::kSegmentSize, false, {}};
  return {Reason::kNone, reset, {}};
}

Time Follower::next_check(Time heartbeat, Time housekeeping, bool can_send) const {
  const Time silence = last_read_ + housekeeping;
  return can_send ? std::min(silence, last_write_ + heartbeat) : silence;
}

}  // namespace ha::core
