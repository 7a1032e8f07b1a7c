// SPDX-License-Identifier: Apache-2.0
// What slaves are told beside the log, on wires that carry messages: the host's metadata, which
// range was acknowledged below policy, and where this log comes from. And what their hosts hand up.
//
// Threads: the I/O thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/net/master/ha_connection.h"
#include "ha_plugin/net/master/parts.h"

namespace ha::net {

class SideChannel {
 public:
  // What one connection was sent.
  struct Sent {
    std::uint64_t metadata = 0;  // a serial; 0 = nothing yet
    std::uint64_t degraded = 0;
    core::Upstream upstream = {};
  };

  explicit SideChannel(const MasterParts& parts) : parts_(parts) {}

  // Returns true if that is not what it was.
  bool set_upstream(const core::Upstream& upstream);
  // Reads the host's state again if its version has changed.
  void read_metadata();

  // What goes with the greeting and with the answer to a HELLO that was taken.
  wire::native::Bytes after_greeting(Sent& sent) const;
  wire::native::Bytes after_answer(Sent& sent) const;
  // Sends what the connection was not sent yet. sent may be gone afterwards, with the connection.
  void send(HaConnection& connection, Sent& sent) const;
  void send_degraded(HaConnection& connection, Sent& sent) const;
  // Up to where the readers of that slave may see.
  core::Offset confirmed(const Sent& sent) const;

  // Gives the host what a slave's host handed up.
  void merge(const std::string& replica, const wire::native::Bytes& pending) const;

 private:
  void send_upstream(HaConnection& connection, Sent& sent) const;
  bool send_metadata(HaConnection& connection, Sent& sent) const;

  const MasterParts parts_;
  std::shared_ptr<const wire::native::Bytes> metadata_;  // as it goes over the wire
  std::optional<std::uint64_t> version_;                 // the host's, of metadata_
  std::uint64_t serial_ = 0;                             // counts what was read; 0 = nothing yet
  bool failed_ = false;                                  // and the log says so
  core::Upstream upstream_;
};

}  // namespace ha::net
