// SPDX-License-Identifier: Apache-2.0
// From the socket to the host's log.

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/net/slave/client_service.h"

namespace ha::net {

using boost::asio::ip::tcp;
using core::Reason;
using core::State;
using core::Status;
using core::Time;

namespace {

// Headers and small bodies come here; a longer body's rest goes into the host's memory. 128 KiB
// halves the system calls of 64 KiB for hosts without append-reserve; more gave nothing.
constexpr std::size_t kBufferBytes = 128 * 1024;

// A turn reads at most this much before other work has its turn.
constexpr std::int64_t kMostPerTurn = std::int64_t{4} << 20;

// While a burst goes on the master hears of it this often.
constexpr std::int64_t kReportEvery = 256 * 1024;

std::string what_is_wrong(const ClientWire::Frame& frame, Reason reason,
                          const core::LogBounds& log) {
  const std::string sent = "the master sent " + std::to_string(frame.size) + " bytes at offset " +
                           std::to_string(frame.offset.bytes());
  switch (reason) {
    case Reason::kFrameSize:
      return sent + "; a frame's size is 0 to " + std::to_string(core::kMaxBodyBytes);
    case Reason::kSegmentSize:
      return sent + ", which does not fit segments of " + std::to_string(log.segment_size) +
             " bytes: give both sides the same segment size";
    default:
      return sent + ", but this log ends at " + std::to_string(log.end.bytes()) +
             "; nothing was stored (empty this store to copy from scratch)";
  }
}

}  // namespace

void ClientService::wait_readable() {
  const std::uint64_t attempt = attempt_;
  socket_.async_wait(tcp::socket::wait_read,
                     [this, attempt](const boost::system::error_code& error) {
                       if (attempt != attempt_) return;
                       if (error) return close(Reason::kNetwork, error.message());
                       on_readable();
                     });
}

void ClientService::on_readable() {
  const Time now = steady_now();
  metrics_.client.last_read_ms.set(unix_now_ms());
  const std::uint64_t attempt = attempt_;
  std::int64_t taken = 0;
  while (taken < kMostPerTurn) {
    const std::optional<Received> received = receive(now);
    if (attempt != attempt_) return;  // closed on the way
    if (!received) break;
    taken += received->bytes;
    if (received->drained) break;
    if (unreported_ >= kReportEvery && !report_if_due(now)) return;
  }
  if (!report_if_due(now)) return;
  if (body_left_ > 0) IoThread::gather();
  wait_readable();
}

// Nothing when there are no bytes for now or the connection was closed.
std::optional<ClientService::Received> ClientService::receive(Time now) {
  if (buffer_.empty()) buffer_.resize(kBufferBytes);
  void* lent = nullptr;
  std::int64_t room = 0;
  const bool direct =
      whole_.active() || (host_.can_reserve() && body_left_ > 0 && tail_.left() == 0);
  if (whole_.active()) {
    lent = whole_.room().data();
    room = body_left_;
  } else if (direct) {
    if (!refuse(host_.reserve(wire_->epoch(), end_, body_left_, lent, room))) return std::nullopt;
    room = std::min(room, body_left_);
  }
  // What follows the body may only be taken together with all of it.
  const bool with_rest = !direct || room == body_left_;
  iovec parts[2] = {{lent, static_cast<std::size_t>(room)}, {buffer_.data(), buffer_.size()}};
  msghdr message{};
  message.msg_iov = direct ? parts : parts + 1;
  message.msg_iovlen = direct && with_rest ? 2 : 1;
  const ssize_t n = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  const int error = errno;
  const std::int64_t in_place = direct ? std::clamp<std::int64_t>(n, 0, room) : 0;
  if (whole_.active()) {
    if (!fill(in_place)) return std::nullopt;
  } else if (direct) {
    if (in_place == 0) {
      host_.drop_reservation();
    } else if (!commit(in_place)) {
      return std::nullopt;
    }
  }
  if (n == 0) {
    close(Reason::kPeerClosed, "the master closed the connection");
    return std::nullopt;
  }
  if (n < 0) {
    if (error != EAGAIN && error != EINTR)
      close(Reason::kNetwork, "read: " + std::generic_category().message(error));
    return std::nullopt;
  }
  follower_->on_bytes(now);
  if (!take({buffer_.data(), static_cast<std::size_t>(n - in_place)})) return std::nullopt;
  const std::int64_t asked =
      room + (with_rest ? static_cast<std::int64_t>(buffer_.size()) : std::int64_t{0});
  return Received{n, n < asked};
}

bool ClientService::take(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (body_left_ > 0) {
      const auto n = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(body_left_));
      if (whole_.active()) {
        std::copy_n(bytes.begin(), n, whole_.room().begin());
        if (!fill(static_cast<std::int64_t>(n))) return false;
      } else if (!append(bytes.first(n))) {
        return false;
      }
      bytes = bytes.subspan(n);
    } else {
      const bool was_ready = wire_->ready();
      std::optional<ClientWire::Frame> frame;
      if (!go_on(wire_->take(bytes, frame))) return false;
      if (const auto reply = wire_->reply(); !reply.empty() && !send(reply, steady_now())) {
        return false;
      }
      if (!was_ready && wire_->ready() && !on_ready()) return false;
      if (frame && !begin_frame(*frame)) return false;
    }
  }
  return true;
}

// The wire's handshake is over; it may have cut the log.
bool ClientService::on_ready() {
  core::LogBounds log;
  if (!read_bounds(log)) return false;
  end_ = log.end;
  on_found_(master_);
  host_.info("master " + master_.text() + " answered; asking for " +
             std::to_string(wire_->position(end_).bytes()));
  follower_->on_frame();
  set_state(State::kTransfer);
  arm_timer();
  return true;
}

bool ClientService::begin_frame(const ClientWire::Frame& frame) {
  core::LogBounds log;
  if (!read_bounds(log)) return false;
  if (frame.size == 0 && frame.offset == tail_.next() && tail_.on_heartbeat()) {
    close(Reason::kOffsetMismatch,
          "the master has nothing at " + std::to_string(tail_.next().bytes()) +
              ", though this log goes on to " + std::to_string(log.end.bytes()) +
              ": the master's log ends before, or what it still holds begins later; nothing was "
              "stored (empty this store to copy from scratch)");
    return false;
  }
  if (log.end != end_) {
    close_for_misuse("the log ends at " + std::to_string(log.end.bytes()) + " and not at " +
                     std::to_string(end_.bytes()) +
                     ", as it did: a slave's log is changed by the plugin alone");
    return false;
  }
  log.end = next();
  const core::FrameVerdict verdict = wire_->begin(frame, log);
  if (verdict.reason != Reason::kNone) {
    close(verdict.reason,
          verdict.text.empty() ? what_is_wrong(frame, verdict.reason, log) : verdict.text);
    return false;
  }
  if (verdict.reset) {
    if (!refuse(host_.reset(wire_->epoch(), frame.offset))) return false;
    host_.info("the master's log starts at " + std::to_string(frame.offset.bytes()) +
               " for us; this empty log starts there");
    end_ = frame.offset;
  }
  if (frame.size > 0 && wire_->is_native() &&
      !refuse(whole_.begin(wire_->epoch(), end_, frame.size))) {
    return false;
  }
  body_left_ = frame.size;
  (frame.size > 0 ? metrics_.client.frames_received : metrics_.client.heartbeats_received).add();
  follower_->on_frame();
  if (body_left_ == 0) backoff_.reset();
  if (state_ != State::kTransfer) set_state(State::kTransfer);
  return true;
}

// So many bytes have come to where whole_ wanted them.
bool ClientService::fill(std::int64_t size) {
  wire_->body(whole_.room().first(static_cast<std::size_t>(size)));
  whole_.filled(size);
  body_left_ -= size;
  if (body_left_ > 0) return true;
  if (!wire_->body_is_whole()) {
    close(Reason::kChecksum, "a frame at " + std::to_string(end_.bytes()) +
                                 " was changed on the way (checksum mismatch); nothing of it was "
                                 "stored");
    return false;
  }
  const std::int64_t whole = whole_.size();
  if (!refuse(whole_.commit())) return false;
  grown(whole);
  return true;
}

bool ClientService::append(std::span<const std::byte> bytes) {
  if (tail_.left() > 0) {
    const auto n = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(tail_.left()));
    if (!compare(bytes.first(n))) return false;
    bytes = bytes.subspan(n);
    if (bytes.empty()) return true;
  }
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (!refuse(host_.append(wire_->epoch(), end_, bytes.data(), size))) return false;
  body_left_ -= size;
  grown(size);
  return true;
}

// The master's bytes from tail_.next() on against this log's.
bool ClientService::compare(std::span<const std::byte> bytes) {
  std::vector<std::byte> held(bytes.size());
  std::int64_t got = 0;
  for (std::size_t done = 0; done < held.size(); done += static_cast<std::size_t>(got)) {
    const core::Offset at = tail_.next() + static_cast<std::int64_t>(done);
    const Status status =
        host_.read(at, held.data() + done, static_cast<std::int64_t>(held.size() - done), got);
    if (status != Status::kOk) {
      close(Reason::kHostError, "the host could not read its log at " + std::to_string(at.bytes()));
      return false;
    }
  }
  const auto differs = std::mismatch(held.begin(), held.end(), bytes.begin()).first;
  if (differs != held.end()) {
    const core::Offset at = tail_.next() + (differs - held.begin());
    close(Reason::kDiverged, "the master holds another byte than this log at " +
                                 std::to_string(at.bytes()) +
                                 ": the two logs parted there or before; nothing was stored (empty "
                                 "this store to copy from scratch)");
    return false;
  }
  tail_.matched(static_cast<std::int64_t>(bytes.size()));
  body_left_ -= static_cast<std::int64_t>(bytes.size());
  return true;
}

bool ClientService::commit(std::int64_t size) {
  if (!refuse(host_.commit(end_, size))) return false;
  body_left_ -= size;
  grown(size);
  return true;
}

void ClientService::grown(std::int64_t size) {
  // Not at a data frame's header: a host that cannot store the body would be asked ever so often.
  backoff_.reset();
  end_ = end_ + size;
  unreported_ += size;
  metrics_.client.bytes_received.add(static_cast<std::uint64_t>(size));
  metrics_.client.bytes_appended.add(static_cast<std::uint64_t>(size));
}

// False = the host said no and the connection is closed with what that means.
bool ClientService::refuse(const HostResult& result) {
  if (result.misuse) {
    close(Reason::kHostMisuse, result.text);
    return false;
  }
  switch (result.status) {
    case Status::kOk:
      return true;
    case Status::kEpoch:
      close(Reason::kEpoch, result.text);
      break;
    case Status::kConflict:
      close(Reason::kSegmentSize, result.text);
      break;
    case Status::kCorrupt:
      close(Reason::kCorrupt, result.text);
      break;
    case Status::kRange:
      close(Reason::kOffsetMismatch, result.text);
      break;
    default:
      close(Reason::kHostError, result.text);
  }
  return false;
}

// False = the wire wants the connection closed, and it is.
bool ClientService::go_on(const Refusal& refusal) {
  if (!refusal.ok()) close(refusal.reason, refusal.text);
  return refusal.ok();
}

}  // namespace ha::net
