// SPDX-License-Identifier: Apache-2.0
// What a slave appends: raw bytes of its master's log, cut anywhere. They are judged where they
// are, and written only if they are right.

#include <algorithm>

#include "ha/plugin.h"
#include "store/commit_log.h"

namespace stub::store {
namespace {

// What stands in the log, and what follows it.
struct TwoPieces {
  std::string_view held;
  std::string_view came;

  TwoPieces cut(std::size_t from, std::size_t to) const {
    const std::size_t border = held.size();
    const std::size_t a = std::min(from, border);
    const std::size_t b = std::max(from, border);
    return {held.substr(a, std::min(to, border) - a),
            came.substr(b - border, std::max(to, border) - b)};
  }
};

}  // namespace

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
  std::vector<RecordView> records;  // views of the bytes, and one of around
  std::string around;               // the record that the log held a part of, without its body
  std::vector<Summed> summed;       // large pieces of the bytes, in their order
  BodySum split;                    // of the record that the log will hold a part of

  void add(const Summed& piece) {
    if (piece.bytes.size() >= kJoinedBytes) summed.push_back(piece);
  }
};

CommitLog::Arrived CommitLog::judge_arrived(std::string_view bytes) const {
  const LogBounds bounds = bounds_.load();
  Arrived out;
  const auto look = [&](std::int64_t at, std::int64_t available, std::int64_t left) {
    if (at >= bounds.end) {
      const Item item =
          judge(bytes.data() + (at - bounds.end), available, at, left, BodyCheck::kYes);
      if (item.found == Found::kRecord) out.add(item.body);
      if (item.found != Found::kPartial) return item;
    }
    return judge_split(at, available, left, bytes, out);
  };
  out.walked = walk_items(bounds.whole_end, bounds.end + static_cast<std::int64_t>(bytes.size()),
                          look, [&](const RecordView& record) { out.records.push_back(record); });
  return out;
}

// A large message comes in several pieces: one frame seldom ends where a record does. Its body is
// summed as it comes, and not copied. To read it again from the log, once the last piece is there,
// costs a page fault for each 64 KiB.
Item CommitLog::judge_split(std::int64_t at, std::int64_t available, std::int64_t left,
                            std::string_view bytes, Arrived& out) const {
  const std::int64_t end = bounds_.load().end;
  const TwoPieces all{at < end ? bytes_at(at, end) : std::string_view(),
                      bytes.substr(static_cast<std::size_t>(std::max<std::int64_t>(at - end, 0)))};
  const auto there = static_cast<std::size_t>(available);
  std::string around;
  const auto add = [&](std::size_t from, std::size_t to) {
    const TwoPieces added = all.cut(from, to);
    around.append(added.held).append(added.came);
  };
  add(0, std::min<std::size_t>(there, kHeaderBytes));
  Item item =
      judge(around.data(), static_cast<std::int64_t>(around.size()), at, left, BodyCheck::kYes);
  if (item.found != Found::kPartial || around.size() < kHeaderBytes) return item;
  const std::size_t size = load32(around.data());
  const std::size_t first = std::min(size, kMostBeforeBody);
  if (there < first) return item;
  add(around.size(), first);
  const BodyPlace body = body_place(around, size);
  const std::size_t body_end = body.begin + body.size;

  const bool begun = split_.record == at && split_.end == end;
  const std::size_t from = begun ? all.held.size() : body.begin;
  const TwoPieces added = all.cut(from, std::max(from, std::min(there, body_end)));
  std::uint32_t crc = begun ? split_.crc : 0;
  const Summed came = summed(added.came);
  out.add(came);
  crc = add_to_sum(add_to_sum(crc, added.held), came);
  if (there < size) {
    out.split = {at, at + available, crc};
    return item;
  }
  around.resize(body.begin);
  add(body_end, size);
  out.around = std::move(around);
  if (body.size > 0) return judge_without_body(out.around, body.size, crc);
  return judge(out.around.data(), static_cast<std::int64_t>(size), at, left, BodyCheck::kYes);
}

std::optional<Error> CommitLog::take_in(std::string_view bytes) {
  const Arrived arrived = judge_arrived(bytes);
  const Item& item = arrived.walked.item;
  if (item.found == Found::kCorrupt || item.found == Found::kConflict)
    return fault_error(item, arrived.walked.position, options_.segment_bytes);
  std::int64_t at = bounds_.load().end;
  const std::int64_t end = at + static_cast<std::int64_t>(bytes.size());
  std::string_view all = bytes;
  if (auto error = ensure_segments(end)) return error;
  while (at < end) {
    const auto segment = table_.find(at);
    const std::int64_t size = std::min(end, segment->end()) - at;
    iovec piece{const_cast<char*>(bytes.data()), static_cast<std::size_t>(size)};
    if (auto error = write(*segment, at, {&piece, 1})) return error;
    bytes.remove_prefix(static_cast<std::size_t>(size));
    at += size;
  }
  for (const Summed& piece : arrived.summed) {
    const auto before = static_cast<std::size_t>(piece.bytes.data() - all.data());
    sum_ = add_to_sum(add_to_sum(sum_, all.substr(0, before)), piece);
    all.remove_prefix(before + piece.bytes.size());
  }
  sum_ = add_to_sum(sum_, all);
  split_ = arrived.split;
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
