// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/frame_receiver.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ha::net {

using core::Offset;
using core::Reason;
using core::Status;

namespace {

// Headers and small bodies come here; a longer body's rest goes into the host's memory. 128 KiB
// halves the system calls of 64 KiB for hosts without append-reserve; more gave nothing.
constexpr std::size_t kBufferBytes = 128 * 1024;

std::string what_is_wrong(const ClientWire::Frame& frame, Reason reason,
                          const core::LogBounds& log) {
  const std::string sent =
      fmt::format("the master sent {} bytes at offset {}", frame.size, frame.offset.bytes());
  switch (reason) {
    case Reason::kFrameSize:
      return fmt::format("{}; a frame's size is 0 to {}", sent, core::kMaxBodyBytes);
    case Reason::kSegmentSize:
      return fmt::format(
          "{}, which does not fit segments of {} bytes: give both sides the same segment size",
          sent, log.segment_size);
    default:
      return fmt::format(
          "{}, but this log ends at {}; nothing was stored (empty this store to copy from scratch)",
          sent, log.end.bytes());
  }
}

Result<core::LogBounds> bounds_of(const Host& host) {
  ha_bounds bounds{};
  if (HostResult result = host.bounds(bounds); !result.ok())
    return store_refusal(std::move(result));
  return to_core(bounds);
}

}  // namespace

Refusal store_refusal(HostResult result) {
  if (result.misuse) return {Reason::kHostMisuse, std::move(result.text)};
  switch (result.status) {
    case Status::kOk:
      return {};
    case Status::kEpoch:
      return {Reason::kEpoch, std::move(result.text)};
    case Status::kConflict:
      return {Reason::kSegmentSize, std::move(result.text)};
    case Status::kCorrupt:
      return {Reason::kCorrupt, std::move(result.text)};
    case Status::kRange:
      return {Reason::kOffsetMismatch, std::move(result.text)};
    default:
      return {Reason::kHostError, std::move(result.text)};
  }
}

Refusal misuse_refusal(const Host& host, std::string text) {
  host.log(HA_LOG_HOST_MISUSE, text);
  return {Reason::kHostMisuse, std::move(text)};
}

Result<std::span<const std::byte>> FrameReceiver::begin(ClientWire& wire,
                                                        std::int64_t tail_check_bytes) {
  const Result<core::LogBounds> log = bounds_of(host_);
  if (!log) return log.error();
  wire_ = &wire;
  end_ = log->end;
  body_left_ = 0;
  untold_ = 0;
  const std::span<const std::byte> greeting = wire.open();
  tail_ = wire.wants_tail_check() ? core::TailCheck(*log, tail_check_bytes) : core::TailCheck();
  return greeting;
}

void FrameReceiver::end() { whole_.drop(); }

Result<FrameReceiver::Received> FrameReceiver::receive(Channel& channel) {
  if (buffer_.empty()) buffer_.resize(kBufferBytes);
  void* lent = nullptr;
  std::int64_t room = 0;
  const bool direct =
      whole_.active() || (host_.append_reserve().present() && body_left_ > 0 && !comparing());
  if (whole_.active()) {
    lent = whole_.room().data();
    room = body_left_;
  } else if (direct) {
    HostResult reserved =
        host_.append_reserve().reserve(wire_->epoch(), end_, body_left_, lent, room);
    if (!reserved.ok()) return store_refusal(std::move(reserved));
    room = std::min(room, body_left_);
  }
  // What follows the body may only be taken together with all of it.
  const bool with_rest = !direct || room == body_left_;
  iovec parts[2] = {{lent, static_cast<std::size_t>(room)}, {buffer_.data(), buffer_.size()}};
  const ssize_t n =
      channel.receive(direct ? parts : parts + 1, direct && with_rest ? std::size_t{2} : 1);
  const int error = errno;
  const std::int64_t in_place = direct ? std::clamp<std::int64_t>(n, 0, room) : 0;
  Refusal refusal;
  if (whole_.active()) {
    refusal = filled(in_place);
  } else if (direct && in_place > 0) {
    refusal = commit(in_place);
  } else if (direct) {
    host_.append_reserve().drop();
  }
  if (!refusal.ok()) return refusal;
  if (n == 0) return Refusal{Reason::kPeerClosed, "the master closed the connection"};
  if (n < 0 && (error == EAGAIN || error == EINTR)) return Received{0, true, {}};
  if (n < 0) return channel.why(error, "read");
  const std::int64_t asked = room + (with_rest ? static_cast<std::int64_t>(buffer_.size()) : 0);
  return Received{n, n < asked, {buffer_.data(), static_cast<std::size_t>(n - in_place)}};
}

Result<FrameReceiver::Event> FrameReceiver::take(std::span<const std::byte>& bytes) {
  if (body_left_ > 0) {
    const auto n = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(body_left_));
    Refusal refusal = take_body(bytes.first(n));
    bytes = bytes.subspan(n);
    if (!refusal.ok()) return refusal;
    return Event::kNothing;
  }
  const bool was_ready = wire_->ready();
  std::optional<ClientWire::Frame> frame;
  if (Refusal refusal = wire_->take(bytes, frame); !refusal.ok()) return refusal;
  if (!was_ready && wire_->ready()) {
    const Result<core::LogBounds> log = bounds_of(host_);
    if (!log) return log.error();
    end_ = log->end;
    return Event::kReady;
  }
  if (frame) return begin_frame(*frame);
  return Event::kNothing;
}

Refusal FrameReceiver::take_body(std::span<const std::byte> bytes) {
  if (!whole_.active()) return append(bytes);
  std::copy(bytes.begin(), bytes.end(), whole_.room().begin());
  return filled(static_cast<std::int64_t>(bytes.size()));
}

Result<FrameReceiver::Event> FrameReceiver::begin_frame(const ClientWire::Frame& frame) {
  Result<core::LogBounds> log = bounds_of(host_);
  if (!log) return log.error();
  if (frame.size == 0 && frame.offset == tail_.next() && tail_.on_heartbeat()) {
    return Refusal{
        Reason::kOffsetMismatch,
        fmt::format("the master has nothing at {}, though this log goes on to {}: the master's log "
                    "ends before, or what it still holds begins later; nothing was stored (empty "
                    "this store to copy from scratch)",
                    tail_.next().bytes(), log->end.bytes())};
  }
  if (log->end != end_) {
    return misuse_refusal(
        host_, fmt::format("the log ends at {} and not at {}, as it did: a slave's log is changed "
                           "by the plugin alone",
                           log->end.bytes(), end_.bytes()));
  }
  log->end = next();
  core::FrameVerdict verdict = wire_->begin(frame, *log);
  if (verdict.reason != Reason::kNone) {
    if (verdict.text.empty()) verdict.text = what_is_wrong(frame, verdict.reason, *log);
    return Refusal{verdict.reason, std::move(verdict.text)};
  }
  if (verdict.reset) {
    HostResult result = host_.reset(wire_->epoch(), frame.offset);
    if (!result.ok()) return store_refusal(std::move(result));
    host_.info(fmt::format("the master's log starts at {} for us; this empty log starts there",
                           frame.offset.bytes()));
    end_ = frame.offset;
  }
  if (frame.size > 0 && wire_->is_native()) {
    HostResult result = whole_.begin(wire_->epoch(), end_, frame.size);
    if (!result.ok()) return store_refusal(std::move(result));
  }
  body_left_ = frame.size;
  (frame.size > 0 ? metrics_.frames_received : metrics_.heartbeats_received).add();
  return frame.size > 0 ? Event::kFrame : Event::kHeartbeat;
}

// That many bytes have come to where whole_ wanted them.
Refusal FrameReceiver::filled(std::int64_t size) {
  wire_->body(whole_.room().first(static_cast<std::size_t>(size)));
  whole_.filled(size);
  body_left_ -= size;
  if (body_left_ > 0) return {};
  if (!wire_->body_is_whole()) {
    return {Reason::kChecksum, fmt::format("a frame at {} was changed on the way (checksum "
                                           "mismatch); nothing of it was stored",
                                           end_.bytes())};
  }
  const std::int64_t whole = whole_.size();
  if (HostResult result = whole_.commit(); !result.ok()) return store_refusal(std::move(result));
  grown(whole);
  return {};
}

Refusal FrameReceiver::append(std::span<const std::byte> bytes) {
  if (comparing()) {
    const auto n = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(tail_.left()));
    if (Refusal refusal = compare(bytes.first(n)); !refusal.ok()) return refusal;
    bytes = bytes.subspan(n);
    if (bytes.empty()) return {};
  }
  const auto size = static_cast<std::int64_t>(bytes.size());
  HostResult result = host_.append(wire_->epoch(), end_, bytes.data(), size);
  if (!result.ok()) return store_refusal(std::move(result));
  body_left_ -= size;
  grown(size);
  return {};
}

// The master's bytes from tail_.next() on against this log's.
Refusal FrameReceiver::compare(std::span<const std::byte> bytes) {
  std::vector<std::byte> held(bytes.size());
  std::int64_t got = 0;
  for (std::size_t done = 0; done < held.size(); done += static_cast<std::size_t>(got)) {
    const Offset at = tail_.next() + static_cast<std::int64_t>(done);
    const Status status =
        host_.read(at, held.data() + done, static_cast<std::int64_t>(held.size() - done), got);
    if (status != Status::kOk) {
      return {Reason::kHostError, fmt::format("the host could not read its log at {}", at.bytes())};
    }
  }
  const auto differs = std::mismatch(held.begin(), held.end(), bytes.begin()).first;
  if (differs != held.end()) {
    return {Reason::kDiverged,
            fmt::format("the master holds another byte than this log at {}: the two logs parted "
                        "there or before; nothing was stored (empty this store to copy from "
                        "scratch)",
                        (tail_.next() + (differs - held.begin())).bytes())};
  }
  tail_.matched(static_cast<std::int64_t>(bytes.size()));
  body_left_ -= static_cast<std::int64_t>(bytes.size());
  return {};
}

Refusal FrameReceiver::commit(std::int64_t size) {
  if (HostResult result = host_.append_reserve().commit(end_, size); !result.ok()) {
    return store_refusal(std::move(result));
  }
  body_left_ -= size;
  grown(size);
  return {};
}

void FrameReceiver::grown(std::int64_t size) {
  end_ = end_ + size;
  untold_ += size;
  metrics_.bytes_received.add(static_cast<std::uint64_t>(size));
  metrics_.bytes_appended.add(static_cast<std::uint64_t>(size));
}

Refusal FrameReceiver::tell_wire() {
  untold_ = 0;
  return wire_->grown(end_);
}

}  // namespace ha::net
