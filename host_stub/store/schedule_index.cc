// SPDX-License-Identifier: Apache-2.0
#include "store/schedule_index.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace stub::store {
namespace {

// The wait is cut so that a step of the system's clock delays a delivery by this much at most.
constexpr std::int64_t kLongestWaitMs = 1000;

std::optional<std::int64_t> number(const RecordView& record, std::string_view name) {
  const auto text = record.property(name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ScheduleNote> schedule_note(const RecordView& record) {
  const bool scheduled = record.topic == kScheduleTopic;
  const auto value = number(record, scheduled ? kDeliverAt : kSourceOffset);
  if (!value) return std::nullopt;
  return ScheduleNote{record.offset, *value, scheduled};
}

void ScheduleIndex::add(const RecordView& record) {
  if (const auto note = schedule_note(record)) add(*note);
}

void ScheduleIndex::add(const ScheduleNote& note) {
  {
    const std::lock_guard lock(mutex_);
    if (note.scheduled) {
      by_time_.insert({note.number, note.offset});
      by_offset_[note.offset] = note.number;
    } else {
      erase(note.number);
    }
    ++changes_;
  }
  if (note.scheduled) changed_.notify_all();
}

void ScheduleIndex::erase(std::int64_t offset) {
  const auto found = by_offset_.find(offset);
  if (found == by_offset_.end()) return;
  by_time_.erase({found->second, offset});
  by_offset_.erase(found);
}

void ScheduleIndex::remove(const RecordView& record, const RecordLookup& look) {
  const auto source = number(record, kSourceOffset);
  RecordView scheduled;
  if (!source || *source >= record.offset || !look(*source, scheduled)) return;
  if (scheduled.topic == kScheduleTopic) add(scheduled);
}

void ScheduleIndex::truncate(std::int64_t new_end) {
  const std::lock_guard lock(mutex_);
  while (!by_offset_.empty() && by_offset_.rbegin()->first >= new_end)
    erase(by_offset_.rbegin()->first);
  ++changes_;
}

void ScheduleIndex::trim(std::int64_t new_min) {
  const std::lock_guard lock(mutex_);
  while (!by_offset_.empty() && by_offset_.begin()->first < new_min)
    erase(by_offset_.begin()->first);
}

void ScheduleIndex::forget(std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  erase(offset);
}

void ScheduleIndex::reset() { truncate(0); }

std::optional<Due> ScheduleIndex::next() const {
  const std::lock_guard lock(mutex_);
  if (by_time_.empty()) return std::nullopt;
  return *by_time_.begin();
}

std::size_t ScheduleIndex::pending() const {
  const std::lock_guard lock(mutex_);
  return by_time_.size();
}

std::int64_t ScheduleIndex::lowest_offset() const {
  const std::lock_guard lock(mutex_);
  return by_offset_.empty() ? std::numeric_limits<std::int64_t>::max() : by_offset_.begin()->first;
}

void ScheduleIndex::wait_for_due(std::int64_t now_ms, std::uint64_t& seen_changes) {
  std::unique_lock lock(mutex_);
  std::int64_t wait_ms = kLongestWaitMs;
  if (!by_time_.empty())
    wait_ms = std::clamp<std::int64_t>(by_time_.begin()->deliver_at_ms - now_ms, 0, wait_ms);
  changed_.wait_for(lock, std::chrono::milliseconds(wait_ms),
                    [&] { return changes_ != seen_changes; });
  seen_changes = changes_;
}

void ScheduleIndex::stop_waiting() {
  {
    const std::lock_guard lock(mutex_);
    ++changes_;
  }
  changed_.notify_all();
}

}  // namespace stub::store
