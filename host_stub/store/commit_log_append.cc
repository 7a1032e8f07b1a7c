// SPDX-License-Identifier: Apache-2.0
// What a master appends: messages.

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>

#include "ha/plugin.h"
#include "store/commit_log.h"

namespace stub::store {
namespace {

// Segments take room as they are written. With this much again an append is worth another try.
constexpr std::int64_t kEnoughRoom = std::int64_t{16} << 20;
// Nothing tells when what else failed an append is over.
constexpr std::int64_t kFailureShownMs = 30'000;
// What zero_ahead writes at once: several times what one flush makes durable, and little beside
// what a disk writes while somebody waits. With 1 MiB the median was lower by 4 %, and p99 50 %
// higher.
constexpr std::int64_t kZeroAheadBytes = 256 << 10;
constexpr std::size_t kZeroPieceBytes = 64 << 10;

void add_pieces(NewMessage& message, std::vector<iovec>& pieces) {
  char* const record = message.record.data();
  const std::string_view body = message.left_out.bytes;
  if (body.empty()) return pieces.push_back({record, message.record.size()});
  pieces.push_back({record, kBodyAt});
  pieces.push_back({const_cast<char*>(body.data()), body.size()});
  pieces.push_back({record + kBodyAt, message.record.size() - kBodyAt});
}

}  // namespace

void CommitLog::set_writable(bool writable) {
  const std::lock_guard lock(append_mutex_);
  writable_ = writable && !closed_;
  if (writable_) reserved_ = 0;
}

std::optional<Error> CommitLog::full() const {
  if (!is_full_) return std::nullopt;
  std::error_code unknown;
  const auto space = std::filesystem::space(directory_, unknown);
  const std::lock_guard lock(failed_mutex_);
  const bool lacked_room = full_ && (full_->os_errno == ENOSPC || full_->os_errno == EDQUOT);
  // Whoever obeys this sends no append that would show that the next one goes well.
  const bool over = lacked_room
                        ? !unknown && space.available >= static_cast<std::uintmax_t>(std::min(
                                                             options_.segment_bytes, kEnoughRoom))
                        : options_.steady_ms() - full_since_ms_ >= kFailureShownMs;
  if (over) return std::nullopt;
  return full_;
}

void CommitLog::note_full(const Error& error) {
  {
    const std::lock_guard lock(failed_mutex_);
    full_ = error;
    full_since_ms_ = options_.steady_ms();
  }
  // Until an append succeeds again; each producer is told anyway.
  if (!is_full_.exchange(true)) options_.background_error(error);
}

void CommitLog::publish(std::int64_t end, std::int64_t whole_end) {
  is_full_ = false;
  mark_.set_committed({end, sum_});
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
    if (auto* error = std::get_if<Error>(&made)) {
      note_full(*error);
      return std::move(*error);
    }
    table_.push(std::move(std::get<std::shared_ptr<Segment>>(made)));
    begun_[base] = now();
    keeper_->want(base + options_.segment_bytes);
  }
}

std::optional<Error> CommitLog::write(const Segment& segment, std::int64_t at,
                                      std::span<iovec> pieces) {
  std::int64_t end_of_write = at;
  for (const iovec& piece : pieces) end_of_write += static_cast<std::int64_t>(piece.iov_len);
  auto error = segment.write(at, pieces);
  if (!error) {
    zero_ahead(segment, end_of_write);
    return std::nullopt;
  }
  note_full(*error);
  // What is beyond the end must be zero: a store whose mark is lost ends where the records do.
  const std::int64_t end = bounds_.load().end;
  for (const auto& touched : table_.overlapping(end, kNoLimit)) {
    const auto cleared = touched->clear(std::max(end, touched->base()));
    if (const auto* uncleared = std::get_if<Error>(&cleared)) fail(*uncleared);
  }
  return error;
}

// A segment has no blocks until it is written, and fdatasync of bytes that got theirs has to make
// the file system's own record of them durable too. That is a second write to the disk, which takes
// as long as the first. So the blocks of the next flushes are written here, several at a time:
// the flush that comes first makes all of them known, and those after it write in place.
//
// It changes nothing that anybody can read. These bytes lie beyond the log's end, where a segment
// reads as zeros: as a hole before, as written zeros after, and as either of the two wherever power
// is lost in between. Nothing else writes there meanwhile, since the append mutex is held, and the
// next append starts at the log's end as before. So recovery sees no state that it did not see
// without this.
//
// Only while flushes are waited for: otherwise these bytes are written over before they reach the
// disk, and would be written in memory for nothing.
void CommitLog::zero_ahead(const Segment& segment, std::int64_t end) {
  // Far below: the log was cut since.
  if (end <= zeroed_ && zeroed_ - end <= kZeroAheadBytes) return;
  if (!flusher_->awaited()) return;
  static char zeros[kZeroPieceBytes];
  const std::int64_t stop = std::min(segment.end(), end + kZeroAheadBytes);
  // Asked for once, whether or not it works. What was to be written is written, and whoever needs
  // room that is not there is told by the append that needs it.
  zeroed_ = stop;
  for (std::int64_t at = end; at < stop;) {
    iovec piece{zeros, static_cast<std::size_t>(
                           std::min(stop - at, static_cast<std::int64_t>(kZeroPieceBytes)))};
    const auto size = static_cast<std::int64_t>(piece.iov_len);
    if (segment.write(at, {&piece, 1})) return;
    at += size;
  }
}

Result<std::shared_ptr<Segment>> CommitLog::make_room(std::int64_t record_bytes) {
  const std::int64_t end = bounds_.load().end;
  if (auto error = ensure_segments(end + 1)) return std::move(*error);
  auto segment = table_.find(end);
  const std::int64_t left = segment->end() - end;
  if (record_bytes + kBlankBytes <= left) return segment;
  // The next segment first: when the disk is full nothing has changed.
  if (auto error = ensure_segments(segment->end() + 1)) return std::move(*error);
  // All of it, not just its header: readers map the log, and on a full tmpfs to read a hole is a
  // SIGBUS.
  std::string blank(static_cast<std::size_t>(left), '\0');
  store32(blank.data(), static_cast<std::uint32_t>(left));
  store32(blank.data() + 4, kBlankMagic);
  iovec piece{blank.data(), blank.size()};
  if (auto error = write(*segment, end, {&piece, 1})) return std::move(*error);
  sum_ = add_to_sum(sum_, blank);
  publish(segment->end(), segment->end());
  return table_.find(segment->end());
}

std::optional<Error> CommitLog::refuse_messages(const std::function<bool()>& accepted) const {
  const LogBounds bounds = bounds_.load();
  if (closed_) return make_error(HA_SHUTDOWN, "the log is closed");
  if (!writable_)
    return make_error(HA_NOT_MASTER, "this node is not a master, so its log takes no messages");
  if (auto error = failed()) return error;
  if (bounds.whole_end != bounds.end)
    return make_error(HA_STATE, "the log ends inside a record (at " + std::to_string(bounds.end) +
                                    "): cut it to " + std::to_string(bounds.whole_end) +
                                    " before appending");
  if (accepted && !accepted()) return make_error(HA_STATE, "given up before the append");
  return std::nullopt;
}

Appended CommitLog::append_messages(std::span<NewMessage> messages,
                                    const std::function<bool()>& accepted) {
  Appended out;
  const std::lock_guard lock(append_mutex_);
  out.error = refuse_messages(accepted);
  const std::int64_t begin = bounds_.load().end;
  while (!out.error && !messages.empty()) {
    if (const std::int64_t size = messages.front().size();
        size + kBlankBytes > options_.segment_bytes) {
      out.error = make_error(HA_INVALID, "a record of " + std::to_string(size) +
                                             " bytes does not fit in a segment of " +
                                             std::to_string(options_.segment_bytes) +
                                             " less 8; send less or use larger segments");
      break;
    }
    auto room = make_room(messages.front().size());
    if (auto* error = std::get_if<Error>(&room)) {
      out.error = std::move(*error);
      break;
    }
    const auto& segment = *std::get<std::shared_ptr<Segment>>(room);
    std::int64_t left = segment.end() - bounds_.load().end - kBlankBytes;
    std::size_t count = 0;
    while (count < messages.size() && messages[count].size() <= left)
      left -= messages[count++].size();
    out.error = append_run(segment, messages.first(count), out);
    messages = messages.subspan(count);
  }
  const std::int64_t end = bounds_.load().end;
  if (end != begin) options_.appended(end);
  return out;
}

std::optional<Error> CommitLog::append_run(const Segment& segment, std::span<NewMessage> run,
                                           Appended& out) {
  const std::int64_t begin = bounds_.load().end;
  const std::int64_t now = options_.now_ms();
  // The observer hears of a record once it is written, so it cannot count those of one run.
  std::map<std::pair<std::string_view, std::int32_t>, std::int64_t> next;
  std::vector<iovec> pieces;
  pieces.reserve(run.size());
  std::int64_t end = begin;
  for (auto& message : run) {
    const auto [at, first] = next.try_emplace({message.topic, message.queue});
    if (first) at->second = observer_.next_queue_offset(message.topic, message.queue);
    place_record(message.record.data(), at->second++, end, now);
    add_pieces(message, pieces);
    end += message.size();
  }
  if (auto error = write(segment, begin, pieces)) return error;
  for (const auto& message : run) {
    const std::string_view record = message.record;
    sum_ = add_to_sum(sum_, record.substr(0, kBodyAt));
    sum_ = add_to_sum(sum_, message.left_out);
    sum_ = add_to_sum(sum_, record.substr(kBodyAt));
  }
  publish(end, end);
  for (auto& message : run) {
    RecordView record;
    decode_record(message.record, record, static_cast<std::int64_t>(message.left_out.bytes.size()));
    observer_.on_record(record);
    message.offset = record.offset;
  }
  if (out.stored == 0) out.first = begin;
  out.stored += static_cast<std::int64_t>(run.size());
  out.end = end;
  return std::nullopt;
}

}  // namespace stub::store
