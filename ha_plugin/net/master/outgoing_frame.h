// SPDX-License-Identifier: Apache-2.0
// One frame on its way to a socket: a header and a body that stays where the host keeps it.
//
// Where the body comes from: a pinned span of the host's mapping, sent together with the header by
// one sendmsg; the host's segment file through sendfile, when the host cannot pin or option
// send_from says so; a copy through the host's read. On loopback memory is as fast as the file or
// faster (each page is copied either way), and a small frame is one system call instead of two. A
// native frame has a checksum of its bytes, so they must be seen: sendfile is never used for one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "ha/ext/segment_fd.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/wire/native.h"
#include "ha_plugin/wire/rocketmq.h"

namespace ha::net {

class OutgoingFrame {
 public:
  OutgoingFrame(const Host& host, SendFrom from)
      : host_(host),
        from_file_(host.segment_fd().present() && (from == SendFrom::kFile || !host.can_pin())) {}
  ~OutgoingFrame() { release(); }
  OutgoingFrame(const OutgoingFrame&) = delete;
  OutgoingFrame& operator=(const OutgoingFrame&) = delete;

  // The bytes will be encrypted, so they must be seen.
  void never_from_file() { from_file_ = false; }

  // Takes hold of the bytes. The host may give fewer than asked: frame.size is then less.
  // REQUIRES: not active.
  core::Status open(core::Frame& frame);
  // The same in the native protocol; label says what its header carries beside offset and size.
  core::Status open_native(core::Frame& frame, wire::native::DataHeader label);
  // A message that is no frame of log bytes.
  void open_message(std::shared_ptr<const wire::native::Bytes> message);

  // From open until every byte was written or release.
  bool active() const { return active_; }

  // Writes what the socket takes without blocking. -1 sets errno. When it was the last byte, the
  // frame is released.
  ssize_t write(Channel& channel);

  // Lets go of the body.
  void release();

 private:
  core::Status take_hold(core::Frame& frame, bool from_file);
  void begin(std::span<const std::byte> header, std::int64_t body_size);
  ssize_t write_from_memory(Channel& channel);
  ssize_t write_from_file(int socket);
  std::int64_t body_written() const;

  const Host& host_;
  bool from_file_;
  bool active_ = false;
  wire::native::DataStart header_{};  // the longest there is
  std::int64_t header_size_ = 0;
  std::int64_t body_size_ = 0;
  std::int64_t written_ = 0;  // header and body
  const std::byte* memory_ = nullptr;
  std::optional<ha_span> span_;
  std::optional<ha_segment> segment_;
  std::shared_ptr<const wire::native::Bytes> message_;
  std::vector<std::byte> copy_;  // where the host can neither pin nor, on this wire, lend its files
};

}  // namespace ha::net
