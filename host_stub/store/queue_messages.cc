// SPDX-License-Identifier: Apache-2.0
#include "store/queue_messages.h"

#include <algorithm>
#include <iterator>

namespace stub::store {
namespace {

// No queue gets there; a record that says so is damaged or a lie, and must not end its queue.
constexpr std::int64_t kMostQueueOffset = std::int64_t{1} << 62;

}  // namespace

std::int64_t QueueMessages::add(std::int64_t offset, std::int64_t recorded) {
  const std::int64_t number = recorded < kMostQueueOffset ? std::max(recorded, next_) : next_;
  if (offsets_.empty() && end_ == next_) end_ = number;
  next_ = number + 1;
  last_ = offset;
  return number;
}

void QueueMessages::show(std::int64_t offset, std::int64_t queue_offset, std::int64_t recorded) {
  const std::int64_t ordinal = dropped_ + static_cast<std::int64_t>(offsets_.size());
  // Modulo 2^64: what is recorded may be any number.
  const auto shift = static_cast<std::int64_t>(static_cast<std::uint64_t>(queue_offset) -
                                               static_cast<std::uint64_t>(recorded));
  const bool goes_on = !runs_.empty() && runs_.back().shift == shift &&
                       runs_.back().number + (ordinal - runs_.back().ordinal) == queue_offset;
  if (!goes_on) runs_.push_back({queue_offset, ordinal, shift});
  offsets_.push_back(offset);
  end_ = queue_offset + 1;
}

void QueueMessages::drop(std::int64_t queue_offset, std::int64_t last_before) {
  next_ = queue_offset;
  last_ = last_before;
}

void QueueMessages::raise(std::int64_t next) {
  if (next <= next_ || next >= kMostQueueOffset) return;
  if (offsets_.empty() && end_ == next_) end_ = next;
  next_ = next;
}

void QueueMessages::cut(std::int64_t new_end) {
  if (offsets_.empty() || offsets_.back() < new_end) return;
  const std::size_t kept = place_at(new_end);
  end_ = next_ = at(kept);
  offsets_.resize(kept);
  const std::int64_t ordinal = dropped_ + static_cast<std::int64_t>(kept);
  while (!runs_.empty() && runs_.back().ordinal >= ordinal) runs_.pop_back();
  last_ = offsets_.empty() ? -1 : offsets_.back();
}

void QueueMessages::trim(std::int64_t new_min) {
  if (offsets_.empty() || offsets_.front() >= new_min) return;
  while (!offsets_.empty() && offsets_.front() < new_min) {
    offsets_.pop_front();
    ++dropped_;
  }
  while (runs_.size() > 1 && runs_[1].ordinal <= dropped_) runs_.pop_front();
  if (offsets_.empty()) runs_.clear();
}

const QueueMessages::Run& QueueMessages::run_of(std::size_t place) const {
  const std::int64_t ordinal = dropped_ + static_cast<std::int64_t>(place);
  return *std::prev(
      std::upper_bound(runs_.begin(), runs_.end(), ordinal,
                       [](std::int64_t value, const Run& run) { return value < run.ordinal; }));
}

std::int64_t QueueMessages::at(std::size_t place) const {
  const Run& run = run_of(place);
  return run.number + (dropped_ + static_cast<std::int64_t>(place) - run.ordinal);
}

std::size_t QueueMessages::place_of(std::int64_t queue_offset) const {
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), queue_offset,
                       [](std::int64_t value, const Run& run) { return value < run.number; });
  if (after == runs_.begin()) return 0;
  const Run& run = *std::prev(after);
  const std::int64_t run_end =
      after == runs_.end() ? dropped_ + static_cast<std::int64_t>(offsets_.size()) : after->ordinal;
  const std::int64_t ordinal =
      run.ordinal + std::min(queue_offset - run.number, run_end - run.ordinal);
  return static_cast<std::size_t>(std::max<std::int64_t>(0, ordinal - dropped_));
}

std::size_t QueueMessages::place_at(std::int64_t offset) const {
  return static_cast<std::size_t>(std::lower_bound(offsets_.begin(), offsets_.end(), offset) -
                                  offsets_.begin());
}

}  // namespace stub::store
