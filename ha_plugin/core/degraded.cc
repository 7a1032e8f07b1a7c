// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/degraded.h"

#include <algorithm>
#include <utility>

namespace ha::core {

DegradedJournal::DegradedJournal(std::vector<DegradedRange> ranges, Offset log_end,
                                 std::optional<DegradedRange> told, std::int64_t now_ms)
    : ranges_(std::move(ranges)), told_(told) {
  if (open() == nullptr) return;
  const DegradedRange range = *open();
  to_hold_ = std::min(range.to, log_end);
  if (log_end <= range.from || log_end < range.to + -kAhead) {
    lose_beyond(log_end, range.to, now_ms);
  }
}

DegradedJournal DegradedJournal::extended(Offset held, Offset end, std::int64_t now_ms,
                                          std::int64_t ahead) const {
  DegradedJournal next = *this;
  held = std::max(held, Offset(0));
  if (open() == nullptr) {
    next.add({held, end, now_ms});
    next.answered_ = next.to_hold_ = Offset(0);
    next.keeping_up_since_ = kNever;
    next.closing_ = false;
  }
  DegradedRange& range = next.ranges_.back();
  range.from = std::min(range.from, held);
  range.to = std::max(range.to, end + ahead);
  return next;
}

void DegradedJournal::answered(Offset end) {
  answered_ = std::max(answered_, end);
  to_hold_ = std::max(to_hold_, end);
  // The copies were back, and this one was too late all the same.
  if (closing_) keeping_up_since_ = kNever;
  closing_ = false;
}

std::optional<DegradedJournal> DegradedJournal::healed(Offset reached, bool keep_up, Time now,
                                                       Time hold, std::int64_t now_ms) {
  if (open() == nullptr) return std::nullopt;
  if (!keep_up) {
    keeping_up_since_ = kNever;
    closing_ = false;
    return std::nullopt;
  }
  if (keeping_up_since_ == kNever) {
    keeping_up_since_ = now;
    to_hold_then_ = to_hold_;
  }
  closing_ = now - keeping_up_since_ >= hold && reached >= to_hold_then_;
  if (!closing_ || reached < to_hold_) return std::nullopt;
  DegradedJournal next = *this;
  next.heal(now_ms);
  return next;
}

DegradedJournal DegradedJournal::heard(const std::optional<DegradedRange>& told) const {
  DegradedJournal next = *this;
  next.told_ = told;
  return next;
}

std::optional<DegradedJournal> DegradedJournal::confirmed(Offset confirm,
                                                          std::int64_t now_ms) const {
  if (open() == nullptr || told_ || confirm < to_hold_) return std::nullopt;
  DegradedJournal next = *this;
  next.heal(now_ms);
  return next;
}

DegradedJournal DegradedJournal::cut(Offset new_end, std::int64_t now_ms) const {
  DegradedJournal next = *this;
  if (open() != nullptr) next.lose_beyond(new_end, to_hold_, now_ms);
  return next;
}

DegradedJournal DegradedJournal::begun(Offset end, std::int64_t now_ms) const {
  DegradedJournal next = *this;
  next.answered_ = Offset(0);
  next.keeping_up_since_ = kNever;
  next.closing_ = false;
  const auto told = std::exchange(next.told_, std::nullopt);
  if (told && next.open() != nullptr) {
    DegradedRange& both = next.ranges_.back();
    both.from = std::min(both.from, told->from);
    both.to = std::max(both.to, told->to);
    both.since_ms = std::min(both.since_ms, told->since_ms);
    next.to_hold_ = both.to;
  } else if (told) {
    next.add(*told);
    next.to_hold_ = told->to;
  }
  if (next.open() == nullptr) return next;
  if (told) next.lose_beyond(end, next.open()->to, now_ms);
  next.to_hold_ = std::min(next.to_hold_, end);
  return next;
}

void DegradedJournal::add(const DegradedRange& range) {
  if (ranges_.size() >= kMostRanges) ranges_.erase(ranges_.begin());
  ranges_.push_back(range);
}

// Where nothing was answered there was no outage.
void DegradedJournal::heal(std::int64_t now_ms) {
  DegradedRange& range = ranges_.back();
  if (to_hold_ <= range.from) {
    ranges_.pop_back();
    return;
  }
  range.to = to_hold_;
  range.healed_ms = now_ms;
}

// Of the open range, in which may have been answered what lies below `to`, the log holds what lies
// below end; that stays open.
void DegradedJournal::lose_beyond(Offset end, Offset to, std::int64_t now_ms) {
  if (to <= end) return;
  DegradedRange& lost = ranges_.back();
  const DegradedRange rest{lost.from, end, lost.since_ms};
  lost.to = to;
  lost.healed_ms = now_ms;
  lost.lost_from = std::max(lost.from, end);
  to_hold_ = end;
  if (rest.from < rest.to) add(rest);
}

}  // namespace ha::core
