#include "ha_plugin/core/degraded.h"

#include <algorithm>
#include <utility>

namespace ha::core {

DegradedJournal::DegradedJournal(std::vector<DegradedRange> ranges, Offset log_end,
                                 std::optional<DegradedRange> told)
    : ranges_(std::move(ranges)), told_(told) {
  if (open() != nullptr) answered_ = std::min(open()->to, log_end);
}

DegradedJournal DegradedJournal::extended(Offset reached, Offset end, std::int64_t now_ms) const {
  DegradedJournal next = *this;
  next.held_since_ = kNever;
  if (open() == nullptr) {
    next.add({std::max(reached, Offset(0)), end, now_ms});
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

std::optional<DegradedJournal> DegradedJournal::heard(std::optional<DegradedRange> told,
                                                      std::int64_t now_ms) const {
  const bool over = !told && open() != nullptr;
  if (told == told_ && !over) return std::nullopt;
  DegradedJournal next = *this;
  next.told_ = told;
  if (over) next.close(now_ms, kNoOffset);
  return next;
}

std::optional<DegradedJournal> DegradedJournal::cut(Offset new_end, std::int64_t now_ms) const {
  if (open() == nullptr || answered_ <= new_end) return std::nullopt;
  DegradedJournal next = *this;
  next.ranges_.back().to = answered_;
  next.close(now_ms, std::max(open()->from, new_end));
  return next;
}

std::optional<DegradedJournal> DegradedJournal::inherited(Offset end, std::int64_t now_ms) const {
  if (!told_) return std::nullopt;
  DegradedJournal next = *this;
  const DegradedRange told = *std::exchange(next.told_, std::nullopt);
  if (next.open() != nullptr) next.close(now_ms, kNoOffset);  // it is in the other
  next.add(told);
  next.answered_ = std::min(told.to, end);
  if (told.to > end) next.close(now_ms, std::max(told.from, end));
  return next;
}

void DegradedJournal::add(const DegradedRange& range) {
  if (ranges_.size() >= kMostRanges) ranges_.erase(ranges_.begin());
  ranges_.push_back(range);
}

void DegradedJournal::close(std::int64_t now_ms, Offset lost_from) {
  ranges_.back().healed_ms = now_ms;
  ranges_.back().lost_from = lost_from;
  held_since_ = kNever;
}

}  // namespace ha::core
