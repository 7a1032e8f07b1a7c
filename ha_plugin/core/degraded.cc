#include "ha_plugin/core/degraded.h"

#include <algorithm>
#include <utility>

namespace ha::core {

DegradedJournal::DegradedJournal(std::vector<DegradedRange> ranges, Offset log_end)
    : ranges_(std::move(ranges)) {
  if (open() != nullptr) answered_ = std::min(open()->to, log_end);
}

DegradedJournal DegradedJournal::extended(Offset reached, Offset end, std::int64_t now_ms) const {
  DegradedJournal next = *this;
  next.held_since_ = kNever;
  if (open() == nullptr) {
    if (next.ranges_.size() >= kMostRanges) next.ranges_.erase(next.ranges_.begin());
    next.ranges_.push_back({std::max(reached, Offset(0)), end, now_ms, 0});
    next.answered_ = Offset(0);
  }
  next.ranges_.back().to = std::max(next.ranges_.back().to, end + kAhead);
  return next;
}

std::optional<DegradedJournal> DegradedJournal::healed(Offset reached, Time now, Time hold,
                                                       std::int64_t now_ms) {
  if (open() == nullptr) return std::nullopt;
  if (reached < answered_) {
    held_since_ = kNever;
    return std::nullopt;
  }
  if (held_since_ == kNever) held_since_ = now;
  if (now - held_since_ < hold) return std::nullopt;
  DegradedJournal next = *this;
  next.ranges_.back().to = std::max(answered_, next.ranges_.back().from);
  next.ranges_.back().healed_ms = now_ms;
  next.held_since_ = kNever;
  return next;
}

}  // namespace ha::core
