// The two ways in: messages of a master, raw bytes of a slave.

#include <algorithm>
#include <cstring>

#include "ha/plugin.h"
#include "store/commit_log.h"

namespace stub::store {

void CommitLog::set_writable(bool writable) {
  const std::lock_guard lock(append_mutex_);
  writable_ = writable && !closed_;
  if (!writable_) return;
  // A reservation that was never committed left bytes behind; what is beyond the end must be zero.
  reserved_ = 0;
  zero(bounds_.load().end, touched_);
}

void CommitLog::zero(std::int64_t begin, std::int64_t end) {
  if (begin >= end) return;
  for (const auto& segment : table_.overlapping(begin, end)) {
    const std::int64_t from = std::max(begin, segment->base());
    const std::int64_t to = std::min(end, segment->end());
    std::memset(segment->at(from), 0, static_cast<std::size_t>(to - from));
  }
}

void CommitLog::publish(std::int64_t end, std::int64_t whole_end) {
  mark_.set_committed(end);
  bounds_.update([&](LogBounds& b) {
    b.end = end;
    b.whole_end = whole_end;
    if (!bounded_) b.confirm = whole_end;
  });
}

std::optional<Error> CommitLog::ensure_segments(std::int64_t end) {
  const std::int64_t at = bounds_.load().end;
  for (;;) {
    const std::int64_t base = table_.next_base(at);
    if (base >= end) return std::nullopt;
    auto made = keeper_->take(base);
    if (auto* error = std::get_if<Error>(&made)) return std::move(*error);
    table_.push(std::move(std::get<std::shared_ptr<Segment>>(made)));
    keeper_->want(base + options_.segment_bytes);
  }
}

std::optional<Error> CommitLog::make_room(std::int64_t record_bytes,
                                          std::shared_ptr<Segment>& segment) {
  std::int64_t end = bounds_.load().end;
  if (segment == nullptr || end >= segment->end()) {
    if (auto error = ensure_segments(end + 1)) return error;
    segment = table_.find(end);
  }
  const std::int64_t left = segment->end() - end;
  if (record_bytes + kBlankBytes <= left) return std::nullopt;
  // The next segment first: when the disk is full nothing has changed.
  if (auto error = ensure_segments(segment->end() + 1)) return error;
  store32(segment->at(end), static_cast<std::uint32_t>(left));
  store32(segment->at(end) + 4, kBlankMagic);
  end = segment->end();
  publish(end, end);
  segment = table_.find(end);
  return std::nullopt;
}

Appended CommitLog::append_messages(std::span<NewMessage> messages,
                                    const std::function<bool()>& accepted) {
  Appended out;
  const std::lock_guard lock(append_mutex_);
  const LogBounds before = bounds_.load();
  if (closed_) {
    out.error = make_error(HA_SHUTDOWN, "the log is closed");
  } else if (!writable_) {
    out.error = make_error(HA_NOT_MASTER, "this node is no master, so its log takes no messages");
  } else if (auto error = failed()) {
    out.error = std::move(*error);
  } else if (before.whole_end != before.end) {
    out.error = make_error(HA_STATE, "the log ends inside a record (at " +
                                         std::to_string(before.end) + "): cut it to " +
                                         std::to_string(before.whole_end) + " before appending");
  } else if (accepted && !accepted()) {
    out.error = make_error(HA_STATE, "given up before the append");
  }
  if (out.error) return out;

  std::shared_ptr<Segment> segment;
  for (auto& message : messages) {
    const auto size = static_cast<std::int64_t>(message.record.size());
    if (size + kBlankBytes > options_.segment_bytes) {
      out.error = make_error(HA_INVALID, "a record of " + std::to_string(size) +
                                             " bytes does not fit in a segment of " +
                                             std::to_string(options_.segment_bytes) +
                                             " less 8; send less or use larger segments");
      break;
    }
    if ((out.error = make_room(size, segment))) break;
    const std::int64_t at = bounds_.load().end;
    place_record(message.record.data(), observer_.next_queue_offset(message.topic, message.queue),
                 at, options_.now_ms());
    std::memcpy(segment->at(at), message.record.data(), message.record.size());
    publish(at + size, at + size);
    RecordView record;
    decode_record({segment->at(at), message.record.size()}, record);
    observer_.on_record(record);
    if (out.stored++ == 0) out.first = at;
    out.end = at + size;
  }
  const std::int64_t end = bounds_.load().end;
  if (end != before.end) options_.appended(end);
  return out;
}

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
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size == 0) return std::nullopt;
  if (auto error = ensure_segments(offset + size)) return error;
  touched_ = std::max(touched_, offset + size);
  for (std::int64_t done = 0; done < size;) {
    const auto segment = table_.find(offset + done);
    const std::int64_t piece = std::min(size - done, segment->end() - (offset + done));
    std::memcpy(segment->at(offset + done), bytes.data() + done, static_cast<std::size_t>(piece));
    done += piece;
  }
  auto error = take_in(size);
  if (error) zero(offset, offset + size);
  return error;
}

std::optional<Error> CommitLog::take_in(std::int64_t size) {
  const LogBounds before = bounds_.load();
  const std::int64_t end = before.end + size;
  const Walked walked = walk(before.whole_end, end, BodyCheck::kYes, nullptr);
  if (walked.item.found == Found::kCorrupt || walked.item.found == Found::kConflict)
    return fault_error(walked.item, walked.position, options_.segment_bytes);
  publish(end, walked.position);
  if (walked.position > before.whole_end)
    walk(before.whole_end, walked.position, BodyCheck::kNo,
         [this](const RecordView& record) { observer_.on_record(record); });
  options_.appended(end);
  return std::nullopt;
}

Result<CommitLog::Reservation> CommitLog::reserve(std::int64_t offset, std::int64_t size) {
  const std::lock_guard lock(append_mutex_);
  if (auto error = refuse_raw(offset)) return std::move(*error);
  if (size < 1)
    return make_error(HA_INVALID, "a reservation of " + std::to_string(size) + " bytes");
  if (auto error = ensure_segments(offset + 1)) return std::move(*error);
  const auto segment = table_.find(offset);
  const Reservation out{segment->at(offset), std::min(size, segment->end() - offset)};
  reserved_ = out.room;
  touched_ = std::max(touched_, offset + out.room);
  return out;
}

std::optional<Error> CommitLog::commit(std::int64_t size) {
  const std::lock_guard lock(append_mutex_);
  if (size < 0 || size > reserved_)
    return make_error(reserved_ == 0 ? HA_STATE : HA_RANGE, "commit of " + std::to_string(size) +
                                                                " bytes of a reservation of " +
                                                                std::to_string(reserved_));
  const std::int64_t room = std::exchange(reserved_, 0);
  if (closed_ || writable_) return make_error(HA_STATE, "the reservation ended with the role");
  if (auto error = failed()) return error;
  if (size == 0) return std::nullopt;
  const std::int64_t offset = bounds_.load().end;
  auto error = take_in(size);
  if (error) zero(offset, offset + room);
  return error;
}

void CommitLog::drop_reservation() {
  const std::lock_guard lock(append_mutex_);
  const std::int64_t room = std::exchange(reserved_, 0);
  const std::int64_t end = bounds_.load().end;
  zero(end, end + room);
}

}  // namespace stub::store
