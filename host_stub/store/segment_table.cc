// SPDX-License-Identifier: Apache-2.0
#include "store/segment_table.h"

#include <algorithm>

#include "ha/plugin.h"

namespace stub::store {

std::int32_t SegmentTable::lease(Kind kind, std::int64_t offset, std::int64_t size, Lease& out) {
  const std::lock_guard lock(mutex_);
  const LogBounds bounds = bounds_.load();
  if (size < 1) return HA_INVALID;
  if (offset < bounds.min || offset >= bounds.end) return HA_RANGE;
  if (kind == Kind::kLent && lent_ >= max_lent_) return HA_AGAIN;
  auto segment = find_locked(offset);
  if (segment == nullptr) return HA_INTERNAL;
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  slot.used = true;
  slot.kind = kind;
  ++slot.generation;
  const std::int64_t stop = std::min(bounds.end, segment->end());
  slot.lease = {std::move(segment), offset, std::min(size, stop - offset),
                std::uint64_t{slot.generation} << 32 | (index + 1)};
  if (kind == Kind::kLent) ++lent_;
  out = slot.lease;
  return HA_OK;
}

bool SegmentTable::release(std::uint64_t token) {
  std::shared_ptr<Segment> last;  // unmapped, if it comes to that, after the lock is gone
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = token & 0xFFFFFFFF;
  if (number == 0 || number > slots_.size()) return false;
  Slot& slot = slots_[number - 1];
  if (!slot.used || slot.lease.token != token) return false;
  slot.used = false;
  last = std::move(slot.lease.segment);
  free_slots_.push_back(static_cast<std::uint32_t>(number - 1));
  if (slot.kind == Kind::kLent)
    --lent_;
  else
    copied_.notify_all();
  return true;
}

std::int32_t SegmentTable::cut(std::int64_t new_end, const std::function<void()>& publish) {
  std::unique_lock lock(mutex_);
  // Those who copy are soon done; a lease that is lent meanwhile shows in the next turn.
  const auto over = [&] {
    return leased_above(Kind::kLent, new_end) || !leased_above(Kind::kCopying, new_end);
  };
  copied_.wait(lock, over);
  if (leased_above(Kind::kLent, new_end)) return HA_AGAIN;
  publish();
  return HA_OK;
}

bool SegmentTable::leased_above(Kind kind, std::int64_t offset) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.used && slot.kind == kind && slot.lease.offset + slot.lease.size > offset;
  });
}

std::shared_ptr<Segment> SegmentTable::find(std::int64_t offset) const {
  const std::lock_guard lock(mutex_);
  return find_locked(offset);
}

std::shared_ptr<Segment> SegmentTable::find_locked(std::int64_t offset) const {
  if (segments_.empty() || offset < segments_.front()->base()) return nullptr;
  const auto index =
      static_cast<std::size_t>((offset - segments_.front()->base()) / segment_bytes_);
  return index < segments_.size() ? segments_[index] : nullptr;
}

std::vector<std::shared_ptr<Segment>> SegmentTable::overlapping(std::int64_t begin,
                                                                std::int64_t end) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Segment>> out;
  for (const auto& segment : segments_)
    if (segment->end() > begin && segment->base() < end) out.push_back(segment);
  return out;
}

std::int64_t SegmentTable::next_base(std::int64_t if_empty) const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? if_empty : segments_.back()->end();
}

std::size_t SegmentTable::count() const {
  const std::lock_guard lock(mutex_);
  return segments_.size();
}

void SegmentTable::push(std::shared_ptr<Segment> segment) {
  const std::lock_guard lock(mutex_);
  segments_.push_back(std::move(segment));
}

std::shared_ptr<Segment> SegmentTable::pop_oldest(
    const std::function<void(std::int64_t)>& publish) {
  const std::lock_guard lock(mutex_);
  if (segments_.size() < 2) return nullptr;
  std::shared_ptr<Segment> oldest = segments_.front();
  const bool lent = std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.used && slot.kind == Kind::kLent && slot.lease.segment == oldest;
  });
  if (lent) return nullptr;
  segments_.pop_front();
  publish(segments_.front()->base());
  return oldest;
}

std::vector<std::shared_ptr<Segment>> SegmentTable::pop_from(std::int64_t from) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Segment>> out;
  while (!segments_.empty() && segments_.back()->base() >= from) {
    out.push_back(segments_.back());
    segments_.pop_back();
  }
  return out;
}

}  // namespace stub::store
