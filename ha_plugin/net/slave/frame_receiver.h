// SPDX-License-Identifier: Apache-2.0
// From a connection's bytes to the host's log.
//
// One receive() takes what there is: the rest of the body that is being received goes straight into
// the host's memory when the host lends some (extension append-reserve), and what follows into a
// buffer, for take(). A body with a checksum is committed when all of it is there, another one
// piece by piece.
//
// It owns no socket and no timer. Each call says what it found, or why the connection must end.
//
// Threads: the I/O thread only. Lifecycle: begin() for each connection and each wire that is tried
// on it, end() when the connection has ended.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ha_plugin/core/tail_check.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/net/slave/client_wire.h"
#include "ha_plugin/net/slave/whole_frame.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

// A value, or why the connection must end.
template <class T>
using Result = boost::system::result<T, Refusal>;

// Why the connection must end when the host did not store or tell what it was asked to.
Refusal store_refusal(HostResult result);
// The host broke the contract in a way that no hook's answer shows: says so in its log.
Refusal misuse_refusal(const Host& host, std::string text);

class FrameReceiver {
 public:
  FrameReceiver(const Host& host, metrics::ClientMetrics& metrics)
      : host_(host), metrics_(metrics), whole_(host) {}

  // Opens the wire on the log as it is now, and returns what the wire says first. If the wire
  // leaves open whether the master's log goes on here, that many of the last bytes are compared.
  Result<std::span<const std::byte>> begin(ClientWire& wire, std::int64_t tail_check_bytes);
  void end();

  struct Received {
    std::int64_t bytes = 0;           // 0 = there are none just now
    bool drained = false;             // the socket has no more just now
    std::span<const std::byte> rest;  // not stored yet: for take()
  };
  Result<Received> receive(Channel& channel);

  enum class Event {
    kNothing,    // more bytes are needed
    kReady,      // the wire's handshake is over; it may have cut the log
    kFrame,      // a body begins
    kHeartbeat,  // a frame without one
  };
  // Takes at least a byte off the front of bytes.
  Result<Event> take(std::span<const std::byte>& bytes);

  // This log's end, as far as this connection has brought it.
  core::Offset log_end() const { return end_; }
  // What the master is asked for: below log_end() while some of the last bytes are compared.
  core::Offset next() const { return comparing() ? tail_.next() : end_; }
  bool comparing() const { return tail_.left() > 0; }
  bool in_body() const { return body_left_ > 0; }

  // Bytes that were stored since the wire was told.
  std::int64_t untold() const { return untold_; }
  Refusal tell_wire();

 private:
  Refusal take_body(std::span<const std::byte> bytes);
  Result<Event> begin_frame(const ClientWire::Frame& frame);
  Refusal filled(std::int64_t size);
  Refusal append(std::span<const std::byte> bytes);
  Refusal compare(std::span<const std::byte> bytes);
  Refusal commit(std::int64_t size);
  void grown(std::int64_t size);

  const Host& host_;
  metrics::ClientMetrics& metrics_;
  ClientWire* wire_ = nullptr;
  core::Offset end_;
  core::TailCheck tail_;
  std::int64_t body_left_ = 0;  // of the frame that is being received
  WholeFrame whole_;            // its body, if it has a checksum
  std::vector<std::byte> buffer_;
  std::int64_t untold_ = 0;
};

}  // namespace ha::net
