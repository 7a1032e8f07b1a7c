// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/outgoing_frame.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ha_plugin/core/assert.h"

namespace ha::net {
namespace {

// Bounds the copy of hosts that can only read; a turn may send several frames.
constexpr std::int64_t kMostCopied = 64 * 1024;

}  // namespace

core::Status OutgoingFrame::open(core::Frame& frame) {
  const core::Status status = take_hold(frame, from_file_);
  if (status != core::Status::kOk) return status;
  begin(wire::encode_header({frame.offset, static_cast<std::int32_t>(frame.size)}), frame.size);
  return core::Status::kOk;
}

core::Status OutgoingFrame::open_native(core::Frame& frame, wire::native::DataHeader label) {
  const core::Status status = take_hold(frame, false);
  if (status != core::Status::kOk) return status;
  label.offset = frame.offset;
  label.size = frame.size;
  begin(wire::native::encode_data(label, memory_), frame.size);
  return core::Status::kOk;
}

void OutgoingFrame::open_message(std::shared_ptr<const wire::native::Bytes> message) {
  message_ = std::move(message);
  memory_ = message_->data();
  begin({}, static_cast<std::int64_t>(message_->size()));
}

void OutgoingFrame::begin(std::span<const std::byte> header, std::int64_t body_size) {
  std::copy(header.begin(), header.end(), header_.begin());
  header_size_ = static_cast<std::int64_t>(header.size());
  body_size_ = body_size;
  written_ = 0;
  active_ = true;
}

core::Status OutgoingFrame::take_hold(core::Frame& frame, bool from_file) {
  // The span or segment of the frame before would never be given back.
  HA_ASSERT(!active_ && !span_ && !segment_);
  memory_ = nullptr;
  if (frame.size == 0) return core::Status::kOk;
  core::Status status = core::Status::kAgain;
  if (from_file) {
    ha_segment segment{};
    status = host_.segment_fd().acquire(frame.offset, frame.size, segment);
    if (status == core::Status::kOk) {
      segment_ = segment;
      frame.size = std::min(frame.size, segment.size);
    }
  } else if (host_.can_pin()) {
    ha_span span{};
    status = host_.pin(frame.offset, frame.size, span);
    if (status == core::Status::kOk) {
      span_ = span;
      memory_ = static_cast<const std::byte*>(span.data);
      frame.size = std::min(frame.size, span.size);
    }
  }
  if (status == core::Status::kAgain) {
    copy_.resize(static_cast<std::size_t>(std::min(frame.size, kMostCopied)));
    std::int64_t got = 0;
    status = host_.read(frame.offset, copy_.data(), static_cast<std::int64_t>(copy_.size()), got);
    if (status == core::Status::kOk &&
        (got <= 0 || got > static_cast<std::int64_t>(copy_.size()))) {
      status = core::Status::kInternal;
    }
    memory_ = copy_.data();
    frame.size = got;
  }
  if (status == core::Status::kOk && frame.size <= 0) status = core::Status::kInternal;
  if (status != core::Status::kOk) release();
  return status;
}

std::int64_t OutgoingFrame::body_written() const {
  return std::max<std::int64_t>(written_ - header_size_, 0);
}

ssize_t OutgoingFrame::write(Channel& channel) {
  const bool from_file = segment_ && written_ >= header_size_ && body_size_ > 0;
  const ssize_t n =
      from_file ? write_from_file(channel.socket().native_handle()) : write_from_memory(channel);
  if (n > 0) written_ += n;
  if (written_ == header_size_ + body_size_) release();
  return n;
}

ssize_t OutgoingFrame::write_from_memory(Channel& channel) {
  iovec parts[2];
  std::size_t count = 0;
  if (written_ < header_size_) {
    parts[count++] = {header_.data() + written_, static_cast<std::size_t>(header_size_ - written_)};
  }
  if (memory_ != nullptr && body_size_ > 0) {
    parts[count++] = {const_cast<std::byte*>(memory_) + body_written(),
                      static_cast<std::size_t>(body_size_ - body_written())};
  }
  // MSG_MORE: the body follows by sendfile; without it the header would be a packet of its own.
  return channel.send(parts, count, segment_ ? MSG_MORE : 0);
}

// sendfile has no MSG_NOSIGNAL; it runs on the I/O thread only, which blocks SIGPIPE.
ssize_t OutgoingFrame::write_from_file(int socket) {
  off_t at = segment_->file_position + body_written();
  const ssize_t n =
      ::sendfile(socket, segment_->fd, &at, static_cast<std::size_t>(body_size_ - body_written()));
  if (n == 0) {  // the file is shorter than the host said
    errno = EIO;
    return -1;
  }
  return n;
}

void OutgoingFrame::release() {
  if (span_) host_.unpin(*span_);
  if (segment_) host_.segment_fd().release(*segment_);
  span_.reset();
  segment_.reset();
  message_.reset();
  active_ = false;
}

}  // namespace ha::net
