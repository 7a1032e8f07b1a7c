// SPDX-License-Identifier: Apache-2.0
#include "hosts/rocketmq/jni/broker.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "hosts/rocketmq/jni/jvm.h"

namespace ha::rocketmq {
namespace {

// A record begins with its size and one of these, both big-endian (RocketMQ's MessageDecoder and
// CommitLog). A blank one fills its file.
constexpr std::uint32_t kMessage = 0xDAA320A7;
constexpr std::uint32_t kMessageV2 = 0xDAA320AB;
constexpr std::uint32_t kBlank = 0xCBD43194;
constexpr std::int64_t kRecordHead = 8;

// As few waits as this are ended by the plugin's own thread: a Java thread that sleeps would have
// to be woken first.
constexpr std::int64_t kEndedAtOnce = 2;

std::uint32_t big_endian(const std::byte* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(at[i]);
  return value;
}

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw Refused(result.error());
  return std::move(*result);
}

void done_or_throw(const Result<void>& result) {
  if (!result) throw Refused(result.error());
}

}  // namespace

Broker::Broker(JNIEnv* env, jobject bridge, const std::string& plugin,
               const std::vector<Option>& options)
    : java_(env, bridge),
      segment_size_(java_.bounds().segment_size),
      files_([this](std::int64_t offset) { return java_.path(offset); }, segment_size_),
      recovered_(java_.bounds().end) {
  const HostBinding host = bind_host(*this);
  library_ = value_or_throw(Plugin::load(plugin, host));
  plugin_ = value_or_throw(Instance::create(*library_, host, options));
}

std::int64_t Broker::cut_to_record(std::int64_t offset) {
  std::int64_t end = offset;
  Error error;
  error.status = record_floor(offset, end);
  ha_bounds log{};
  bounds(log);
  if (error.status == HA_OK && end < log.end) {
    cut(end, error);
    if (error.os_errno != 0) error.status = HA_IO;
  }
  if (error.status != HA_OK) {
    error.text = "cannot cut the log to a whole record below " + std::to_string(offset) + ": " +
                 (error.text.empty() ? status_name(error.status) : error.text);
    throw Refused(error);
  }
  return end;
}

void Broker::start(std::int32_t role, const std::string& master) {
  done_or_throw(plugin_->start({.role = role, .master_address = master}));
}

void Broker::set_role(const RoleRequest& request) { done_or_throw(plugin_->set_role(request)); }

void Broker::set_master_address(const std::string& address) {
  done_or_throw(plugin_->set_master_address(address));
}

void Broker::set_option(const std::string& key, const std::string& value) {
  done_or_throw(plugin_->set_option(key, value));
}

std::string Broker::status_json() const { return value_or_throw(plugin_->status_json()); }

std::string Broker::metrics_text() const { return value_or_throw(plugin_->metrics_text()); }

std::string Broker::status_name(std::int32_t status) const {
  const std::string text = library_->status_text(status);
  return text.substr(0, text.find(' '));
}

void Broker::stop(std::int64_t drain_ms) {
  (void)plugin_->stop(std::chrono::milliseconds(drain_ms));
  completions_.close();
}

// ---- producers ----

// The plugin takes one caller at a time. A caller that finds another one there leaves its number.
void Broker::notify(std::int64_t end) {
  std::int64_t known = appended_.load();
  do {
    if (known >= end) return;
  } while (!appended_.compare_exchange_weak(known, end));
  while (!notifying_.test_and_set()) {
    const std::int64_t told = appended_.load();
    plugin_->notify_appended(told);
    notifying_.clear();
    if (appended_.load() == told) return;
  }
}

std::int32_t Broker::wait(const WaitRequest& request, std::int32_t slot) {
  notify(request.end);
  waiting_.fetch_add(1);
  const std::int32_t status = plugin_->wait(
      request, [this, slot](std::int32_t outcome, std::int64_t) { ended(slot, outcome); });
  if (status != HA_OK) waiting_.fetch_sub(1);
  return status;
}

void Broker::ended(std::int32_t slot, std::int32_t status) noexcept {
  const bool many = waiting_.fetch_sub(1) > kEndedAtOnce;
  try {
    if (many) {
      completions_.push({slot, status});
    } else {
      java_.completed(slot, status);
    }
  } catch (const std::exception& e) {
    detail::guard(nullptr, "log", [&](Error&) {
      log(HA_LOG_ERROR, std::string("a producer's end: ") + e.what());
      return HA_OK;
    });
  }
}

// ---- beside the log ----

void Broker::set_metadata(std::string state) {
  const std::lock_guard lock(metadata_mutex_);
  metadata_ = std::move(state);
  metadata_version_.fetch_add(1);
}

std::string Broker::read_metadata() {
  const std::lock_guard lock(metadata_mutex_);
  return metadata_;
}

std::int32_t Broker::write_metadata(std::string_view state, Error&) {
  if (!state.empty()) java_.metadata(state);  // empty: a new master has not looked yet
  return HA_OK;
}

void Broker::role_changed(const ha_role_report& report) {
  if (report.role == HA_ROLE_MASTER) {
    try {
      if (Error error; !wipe_rest(error)) log(HA_LOG_ERROR, error.text);
    } catch (const std::exception& wrong) {
      log(HA_LOG_ERROR, std::string("what was cut is not wiped: ") + wrong.what());
    }
  }
  java_.role_changed(report);
}

// ---- the log ----

std::int32_t Broker::bounds(ha_bounds& out) {
  out = java_.bounds();
  out.durable = std::clamp(std::max(out.durable, synced_.load()), out.min, out.end);
  return HA_OK;
}

std::int32_t Broker::record_floor(std::int64_t offset, std::int64_t& out) {
  std::int64_t dispatched = 0;
  const ha_bounds log = java_.bounds(&dispatched);
  if (offset < log.min || offset > log.end) return HA_RANGE;
  std::int64_t at = std::max(log.min, offset - offset % segment_size_);
  for (const std::int64_t known : {recovered_.load(), dispatched}) {
    if (known <= offset) at = std::max(at, known);
  }
  if (at < offset) {
    const Segment segment = files_.find(at);
    if (!segment) return HA_IO;
    while (at + kRecordHead <= segment->end()) {
      const std::int64_t size = big_endian(segment->at(at));
      const std::uint32_t magic = big_endian(segment->at(at) + 4);
      if (magic != kBlank && magic != kMessage && magic != kMessageV2) break;
      const std::int64_t next = magic == kBlank ? segment->end() : at + size;
      if (size < kRecordHead || next > offset) break;
      at = next;
      if (at == offset) break;
    }
  }
  out = at;
  return HA_OK;
}

// The bytes of [offset, offset + size) that are in one file.
std::int32_t Broker::lend(std::int64_t offset, std::int64_t size, Segment& out, std::int64_t& got) {
  ha_bounds log{};
  bounds(log);
  if (offset < log.min || offset >= log.end) return HA_RANGE;
  files_.forget_below(log.min);
  out = files_.find(offset);
  if (!out) return HA_RANGE;  // deleted since
  got = std::min({size, log.end - offset, out->end() - offset});
  return HA_OK;
}

std::int32_t Broker::read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) {
  Segment segment;
  const std::int32_t status = lend(offset, static_cast<std::int64_t>(buffer.size()), segment, got);
  if (status != HA_OK) return status;
  std::memcpy(buffer.data(), segment->at(offset), static_cast<std::size_t>(got));
  return HA_OK;
}

std::int32_t Broker::pin(std::int64_t offset, std::int64_t size, ha_span& out) {
  auto segment = std::make_unique<Segment>();
  const std::int32_t status = lend(offset, size, *segment, out.size);
  if (status != HA_OK) return status;
  out.data = (*segment)->at(offset);
  out.token = std::bit_cast<std::uint64_t>(segment.release());
  return HA_OK;
}

void Broker::unpin(const ha_span& span) { delete std::bit_cast<Segment*>(span.token); }

std::int32_t Broker::append(std::int64_t, std::int64_t offset, std::span<const std::byte> data,
                            Error& error) {
  if (!wipe_rest(error)) return HA_IO;
  const std::int64_t begin = offset;
  while (!data.empty()) {
    const auto piece = static_cast<std::size_t>(
        std::min(static_cast<std::int64_t>(data.size()), segment_size_ - offset % segment_size_));
    const std::int32_t status = append_piece(offset, data.first(piece), error);
    if (status != HA_OK) {
      if (offset > begin) cut(begin, error);
      return status;
    }
    offset += static_cast<std::int64_t>(piece);
    data = data.subspan(piece);
  }
  return HA_OK;
}

std::int32_t Broker::append_piece(std::int64_t offset, std::span<const std::byte> data,
                                  Error& error) {
  const std::int64_t begin = java_.prepare(offset);
  if (begin == -1) return HA_RANGE;
  if (begin >= 0 && begin != offset - offset % segment_size_) {
    error.text = "the commit log's last file begins at " + std::to_string(begin);
    return HA_CONFLICT;
  }
  const Segment segment = begin < 0 ? nullptr : files_.find(offset);
  if (!segment) {
    error.text = "RocketMQ made no file for offset " + std::to_string(offset);
    return HA_IO;
  }
  if (const int wrong = segment->write(offset, data.data(), data.size())) {
    error.os_errno = wrong;
    error.text = "cannot write to the commit log '" + segment->path() + "' at offset " +
                 std::to_string(offset);
    return HA_IO;
  }
  java_.commit(offset + static_cast<std::int64_t>(data.size()));
  return HA_OK;
}

std::int32_t Broker::truncate(std::int64_t, std::int64_t new_end, std::uint32_t, Error& error) {
  ha_bounds log{};
  bounds(log);
  if (new_end > log.end || new_end < log.confirm) {
    // RocketMQ's queues point at those bytes, or will in a moment.
    error.text = "a cut to " + std::to_string(new_end) + " of a log whose messages below " +
                 std::to_string(log.confirm) +
                 " are in their queues; delete the store of this "
                 "broker to copy from scratch";
    return HA_RANGE;
  }
  if (new_end == log.end) return wipe_rest(error) ? HA_OK : HA_IO;
  if (files_.lent_from(new_end)) return HA_AGAIN;
  cut(new_end, error);
  return error.os_errno == 0 ? HA_OK : HA_IO;
}

// RocketMQ's own cut comes back after a crash: recovery reads on as long as records look good. So
// the bytes go too.
void Broker::cut(std::int64_t new_end, Error& error) {
  const std::lock_guard lock(cutting_);
  unwiped_ = true;
  ++cuts_;
  java_.truncate(new_end);
  recovered_ = std::min(recovered_.load(), new_end);
  synced_ = std::min(synced_.load(), new_end);
  appended_ = std::min(appended_.load(), new_end);
  files_.forget_from(new_end);
  (void)wipe_rest(error);
}

// When a wipe fails the log is shorter already, so a second cut would find nothing to do.
bool Broker::wipe_rest(Error& error) {
  if (!unwiped_) return true;
  const std::int64_t end = java_.bounds().end;
  const Segment segment = files_.find(end);  // null: the cut is where a file ends
  const Segment neighbour = segment || end == 0 ? segment : files_.find(end - 1);
  int wrong = segment ? segment->wipe(end) : 0;
  // Without this, deleted files may come back after a power failure.
  if (wrong == 0 && neighbour) wrong = neighbour->sync_folder();
  unwiped_ = wrong != 0;
  if (wrong == 0) return true;
  error.os_errno = wrong;
  error.text = "cannot wipe what was cut from the commit log '" + neighbour->path() + "' at " +
               std::to_string(end);
  return false;
}

std::int32_t Broker::reset(std::int64_t, std::int64_t new_min, Error& error) {
  ha_bounds log{};
  bounds(log);
  if (log.end != log.min) {
    error.text = "RocketMQ's commit log is not empty: delete the store of this slave";
    return HA_UNSUPPORTED;
  }
  files_.forget_from(0);
  recovered_ = new_min;
  if (java_.reset(new_min)) return HA_OK;
  error.text = "RocketMQ made no file for offset " + std::to_string(new_min);
  return HA_IO;
}

std::int32_t Broker::flush(std::int64_t end, Error& error) {
  const std::int64_t cuts = cuts_;
  ha_bounds log{};
  bounds(log);
  end = std::min(end, log.end);
  for (std::int64_t at = std::max(log.min, synced_.load()); at < end;) {
    const Segment segment = files_.find(at);
    if (!segment) return HA_RANGE;
    if (sync_failed_) {
      const std::int32_t status = write_again(*segment, at, error);
      if (status != HA_OK) return status;
    }
    if (const int wrong = segment->sync()) {
      sync_failed_ = true;
      error.os_errno = wrong;
      error.text = "cannot make the commit log '" + segment->path() + "' durable (fdatasync)";
      return HA_IO;
    }
    at = segment->end();
    const std::lock_guard lock(cutting_);
    if (cuts != cuts_) return HA_AGAIN;  // other bytes are there now
    sync_failed_ = false;
    synced_ = std::max(synced_.load(), std::min(at, end));
  }
  return HA_OK;
}

// From `from` to the end of the segment or of the log, which may have grown since the failed sync.
std::int32_t Broker::write_again(const SegmentFile& segment, std::int64_t from, Error& error) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 20;
  for (;;) {
    const std::lock_guard lock(cutting_);
    const std::int64_t end = std::min(java_.bounds().end, segment.end());
    if (from >= end) return HA_OK;
    const auto piece = static_cast<std::size_t>(std::min(kPiece, end - from));
    if (const int wrong = segment.write_again(from, piece)) {
      error.os_errno = wrong;
      error.text = "cannot write to the commit log '" + segment.path() + "' at offset " +
                   std::to_string(from);
      return HA_IO;
    }
    from += static_cast<std::int64_t>(piece);
  }
}

std::int32_t Broker::confirm(std::int64_t, std::int64_t offset) {
  java_.confirm(offset);
  return HA_OK;
}

}  // namespace ha::rocketmq
