// SPDX-License-Identifier: Apache-2.0
// The two ways to take bytes off the log. Both write the mark first: from the moment it is durable
// a crash leaves nothing but bytes beyond the committed end, which the next open zeroes.

#include <algorithm>

#include "ha/plugin.h"
#include "store/commit_log.h"

namespace stub::store {

std::optional<Error> CommitLog::truncate(std::int64_t new_end, bool unsafe) {
  const std::lock_guard flush_lock(flush_mutex_);
  const std::lock_guard lock(append_mutex_);
  if (closed_) return make_error(HA_SHUTDOWN, "the log is closed");
  if (writable_) return make_error(HA_STATE, "this node is the master: its log is not cut");
  if (reserved_ > 0) return make_error(HA_STATE, "a reservation is open; drop it first");
  if (auto error = failed()) return error;
  const LogBounds before = bounds_.load();
  if (new_end < before.min || new_end > before.end)
    return make_error(HA_RANGE, "cannot cut the log to " + std::to_string(new_end) +
                                    ": it holds [" + std::to_string(before.min) + ", " +
                                    std::to_string(before.end) + ")");
  if (new_end < before.confirm && !unsafe)
    return make_error(HA_RANGE, "cannot cut the log to " + std::to_string(new_end) +
                                    ": readers may have seen the records below " +
                                    std::to_string(before.confirm) +
                                    " (the flag HA_TRUNCATE_UNSAFE allows it)");
  if (new_end == before.end) return std::nullopt;
  auto floor = record_floor(new_end);
  if (auto* error = std::get_if<Error>(&floor)) return std::move(*error);
  const std::int64_t whole_end = std::get<std::int64_t>(floor);
  const std::int32_t status = table_.cut(new_end, [&] {
    bounds_.update([&](LogBounds& b) {
      b.end = new_end;
      b.whole_end = whole_end;
      b.confirm = std::min(b.confirm, whole_end);
      b.durable = std::min(b.durable, new_end);
    });
  });
  if (status != HA_OK)
    return make_error(status, "cannot cut the log to " + std::to_string(new_end) +
                                  " now: bytes beyond are lent; try again when they are back");
  observer_.on_truncate(whole_end, [this, &before](std::int64_t offset, RecordView& out) {
    const auto segment = table_.find(offset);
    if (segment == nullptr || offset >= before.whole_end) return false;
    const Item item = judge(segment->at(offset), before.whole_end - offset, offset,
                            segment->end() - offset, BodyCheck::kNo);
    out = item.record;
    return item.found == Found::kRecord;
  });
  const LogBounds now = bounds_.load();
  split_ = {};
  if (bounded_) observer_.on_confirm(now.confirm);
  if (now.durable < before.durable) flushed_sum_ = 0;
  sum_ = flushed_sum_;
  for (std::int64_t at = now.durable; at < new_end;) {
    const std::string_view bytes = bytes_at(at, new_end);
    sum_ = add_to_sum(sum_, bytes);
    at += static_cast<std::int64_t>(bytes.size());
  }
  mark_.set_all(mark_values());
  auto error = cut_files(new_end);
  if (error) fail(*error);
  return error;
}

std::optional<Error> CommitLog::cut_files(std::int64_t new_end) {
  if (auto error = digests_.keep(bounds_.load().min, new_end)) return error;
  if (auto error = mark_.sync()) return error;
  keeper_->discard();
  const auto last = table_.find(new_end);
  for (const auto& segment : table_.pop_from(new_end)) {
    if (segment == last) continue;
    if (auto error = segment->remove()) return error;
  }
  // A segment that starts at the cut is kept: it is the next one to be filled.
  if (last != nullptr) {
    const auto cleared = last->clear(new_end);
    if (const auto* error = std::get_if<Error>(&cleared)) return *error;
    if (std::get<Segment::Written>(cleared).any())
      if (auto error = last->sync()) return error;
    if (last->base() == new_end) table_.push(last);
  }
  return sync_directory(directory_);
}

std::optional<Error> CommitLog::reset(std::int64_t new_min) {
  const std::lock_guard flush_lock(flush_mutex_);
  const std::lock_guard lock(append_mutex_);
  if (closed_) return make_error(HA_SHUTDOWN, "the log is closed");
  if (writable_) return make_error(HA_STATE, "this node is the master: its log is not reset");
  if (reserved_ > 0) return make_error(HA_STATE, "a reservation is open; drop it first");
  if (auto error = failed()) return error;
  if (new_min < 0 || new_min % options_.segment_bytes != 0)
    return make_error(HA_INVALID, "cannot restart the log at " + std::to_string(new_min) +
                                      ": not a multiple of the segment size " +
                                      std::to_string(options_.segment_bytes));
  const std::int32_t status = table_.cut(0, [&] {
    bounds_.update([&](LogBounds& b) { b = {new_min, new_min, new_min, new_min, new_min}; });
  });
  if (status != HA_OK)
    return make_error(status, "cannot reset the log now: bytes are lent; try again later");
  observer_.on_reset(new_min);
  if (bounded_) observer_.on_confirm(new_min);
  sum_ = flushed_sum_ = 0;
  mark_.set_all(mark_values());
  auto error = [&]() -> std::optional<Error> {
    if (auto failure = digests_.keep(new_min, new_min)) return failure;
    if (auto failure = mark_.sync()) return failure;
    keeper_->discard();
    for (const auto& segment : table_.pop_from(0))
      if (auto failure = segment->remove()) return failure;
    return sync_directory(directory_);
  }();
  if (error) fail(*error);
  return error;
}

}  // namespace stub::store
