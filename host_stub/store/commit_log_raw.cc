// SPDX-License-Identifier: Apache-2.0
// What a slave appends: raw bytes of its master's log, cut anywhere. They are judged where they
// are, and written only if they are right.

#include <algorithm>

#include "ha/plugin.h"
#include "store/commit_log.h"

namespace stub::store {

std::optional<Error> CommitLog::refuse_raw(std::int64_t offset) const {
  if (closed_) return make_error(HA_SHUTDOWN, "the log is closed");
  if (writable_)
    return make_error(HA_STATE, "this node is the master: it takes no bytes from another one");
  if (reserved_ > 0)
    return make_error(HA_STATE, "a reservation of " + std::to_string(reserved_) +
                                    " bytes is open; commit or drop it first");
  if (auto error = failed()) return error;
  const std::int64_t end = bounds_.load().end;
  if (offset != end)
    return make_error(HA_RANGE, "bytes for offset " + std::to_string(offset) +
                                    " do not follow the log's end " + std::to_string(end));
  return std::nullopt;
}

std::optional<Error> CommitLog::append_raw(std::int64_t offset, std::string_view bytes) {
  const std::lock_guard lock(append_mutex_);
  if (auto error = refuse_raw(offset)) return error;
  return bytes.empty() ? std::nullopt : take_in(bytes);
}

struct CommitLog::Arrived {
  Walked walked;                    // from the last whole record to the first that is not
  std::vector<RecordView> records;  // views of the bytes, and one of begun
  std::string begun;                // the record whose first bytes the log held already
};

CommitLog::Arrived CommitLog::judge_arrived(std::string_view bytes) const {
  const LogBounds bounds = bounds_.load();
  Arrived out;
  const auto look = [&](std::int64_t at, std::int64_t available, std::int64_t left) {
    if (at < bounds.end) return judge_begun(at, bytes, out.begun);
    return judge(bytes.data() + (at - bounds.end), available, at, left, BodyCheck::kYes);
  };
  out.walked = walk_items(bounds.whole_end, bounds.end + static_cast<std::int64_t>(bytes.size()),
                          look, [&](const RecordView& record) { out.records.push_back(record); });
  return out;
}

// Two copies at most, of its header and, once all of it is there, of the whole: a record that
// arrives in many pieces is not copied for each of them.
Item CommitLog::judge_begun(std::int64_t at, std::string_view bytes, std::string& whole) const {
  const auto segment = table_.find(at);
  const std::int64_t held = bounds_.load().end - at;
  const std::int64_t left = segment->end() - at;
  const std::int64_t available = std::min(held + static_cast<std::int64_t>(bytes.size()), left);
  const auto judge_first = [&](std::int64_t size) {
    whole.assign(segment->at(at), static_cast<std::size_t>(std::min(held, size)));
    whole.append(bytes.substr(0, static_cast<std::size_t>(size) - whole.size()));
    return judge(whole.data(), size, at, left, BodyCheck::kYes);
  };
  const Item item = judge_first(std::min(available, kHeaderBytes));
  if (item.found != Found::kPartial || available < kHeaderBytes) return item;
  const auto size = static_cast<std::int64_t>(load32(whole.data()));
  return size <= available ? judge_first(size) : item;
}

std::optional<Error> CommitLog::take_in(std::string_view bytes) {
  const Arrived arrived = judge_arrived(bytes);
  const Item& item = arrived.walked.item;
  if (item.found == Found::kCorrupt || item.found == Found::kConflict)
    return fault_error(item, arrived.walked.position, options_.segment_bytes);
  std::int64_t at = bounds_.load().end;
  const std::int64_t end = at + static_cast<std::int64_t>(bytes.size());
  const std::string_view all = bytes;
  if (auto error = ensure_segments(end)) return error;
  while (at < end) {
    const auto segment = table_.find(at);
    const std::int64_t size = std::min(end, segment->end()) - at;
    iovec piece{const_cast<char*>(bytes.data()), static_cast<std::size_t>(size)};
    if (auto error = write(*segment, at, {&piece, 1})) return error;
    bytes.remove_prefix(static_cast<std::size_t>(size));
    at += size;
  }
  sum_ = add_to_sum(sum_, all);
  publish(end, arrived.walked.position);
  for (const auto& record : arrived.records) observer_.on_record(record);
  options_.appended(end);
  return std::nullopt;
}

Result<CommitLog::Reservation> CommitLog::reserve(std::int64_t offset, std::int64_t size) {
  const std::lock_guard lock(append_mutex_);
  if (auto error = refuse_raw(offset)) return std::move(*error);
  if (size < 1)
    return make_error(HA_INVALID, "a reservation of " + std::to_string(size) + " bytes");
  if (auto error = ensure_segments(offset + 1)) return std::move(*error);
  const std::int64_t room = std::min(size, table_.find(offset)->end() - offset);
  if (room > reserve_capacity_) {
    reserve_buffer_ = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(room));
    reserve_capacity_ = room;
  }
  reserved_ = room;
  return Reservation{reserve_buffer_.get(), room};
}

std::optional<Error> CommitLog::commit(std::int64_t size) {
  const std::lock_guard lock(append_mutex_);
  if (size < 0 || size > reserved_)
    return make_error(reserved_ == 0 ? HA_STATE : HA_RANGE, "commit of " + std::to_string(size) +
                                                                " bytes of a reservation of " +
                                                                std::to_string(reserved_));
  reserved_ = 0;
  if (closed_ || writable_) return make_error(HA_STATE, "the reservation ended with the role");
  if (auto error = failed()) return error;
  if (size == 0) return std::nullopt;
  return take_in({reserve_buffer_.get(), static_cast<std::size_t>(size)});
}

void CommitLog::drop_reservation() {
  const std::lock_guard lock(append_mutex_);
  reserved_ = 0;
}

}  // namespace stub::store
