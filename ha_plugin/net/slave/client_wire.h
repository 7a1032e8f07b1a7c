// SPDX-License-Identifier: Apache-2.0
// What differs between the wires that a slave can speak to its master.
//
// ClientService has the socket and the timers, FrameReceiver the body bytes. A wire says what goes
// out, finds the headers in what comes in, judges each frame before its first byte is stored, and
// hears when the log has grown. It calls the host where its rules ask for it (to cut, to confirm),
// but never appends: FrameReceiver does, which may receive straight into the host's memory.
//
// Threads: the I/O thread only. Lifecycle: one for the life of the instance; open() begins each
// connection anew. Spans that are returned are valid until the next call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ha_plugin/config/address.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/identity.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host.h"

namespace ha::net {

using core::Refusal;

class ClientWire {
 public:
  struct Frame {
    core::Offset offset;
    std::int64_t size = 0;  // of the body; 0 = heartbeat
  };

  ClientWire() = default;
  ClientWire(const ClientWire&) = delete;
  ClientWire& operator=(const ClientWire&) = delete;
  virtual ~ClientWire() = default;

  // Before open: whose connection it will be, as this node was told.
  virtual void dialled(const Address& /*master*/) {}
  // Who the master has proved to be, before its first word. Not called on a connection without TLS.
  virtual void on_proved(const core::ProvedNames& /*names*/) {}
  // A connection stands. What to say first; empty = the first report is the beginning.
  virtual std::span<const std::byte> open() = 0;
  // Has the master said anything on this wire? Where silence is a RocketMQ master's way it always
  // has.
  virtual bool answered() const { return true; }
  // What take has found must be answered with, once; empty = with nothing.
  virtual std::span<const std::byte> reply() { return {}; }

  // The native wire has heartbeats of its own; its acks say what is durable too; its frames carry a
  // checksum, so that a body becomes part of the log only as a whole: its bytes are given to body()
  // as they come, and body_is_whole() says whether they may.
  virtual bool is_native() const { return false; }
  struct Timing {
    core::Time heartbeat;     // a side that has sent nothing for this long says so
    core::Time housekeeping;  // and is given up after this
  };
  virtual Timing timing(const Settings& settings) const {
    return {std::chrono::milliseconds(settings.heartbeat_ms),
            std::chrono::milliseconds(settings.housekeeping_ms)};
  }
  virtual void body(std::span<const std::byte>) {}
  virtual bool body_is_whole() { return true; }

  // Does the wire leave open whether the master's log goes on where this one ends? Then some of its
  // last bytes are asked for again and compared.
  virtual bool wants_tail_check() const = 0;

  // The master's, once it has said so; 0 = epochs are not kept, or are not the host's concern.
  virtual std::int64_t epoch() const { return 0; }

  // Whether reports may go out. When it turns true, the log may end elsewhere than before.
  virtual bool ready() const = 0;

  // What this log's end is called towards the master, and the report that says so.
  virtual core::Offset position(core::Offset end) const = 0;
  virtual std::span<const std::byte> report(core::Offset position) = 0;

  // Takes at least a byte off the front of bytes, and none of a body. Sets frame when a header is
  // complete: then the next frame.size bytes are its body.
  virtual Refusal take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) = 0;

  // Judges the frame that take found, and does whatever must be done before its body is stored,
  // but for the reset that the verdict may ask for.
  virtual core::FrameVerdict begin(const Frame& frame, const core::LogBounds& log) = 0;

  // Once a second: what the master must hear of beside the log; empty = nothing.
  virtual std::span<const std::byte> beside_the_log() { return {}; }

  // Body bytes were stored; the log ends at end.
  virtual Refusal grown(core::Offset end) = 0;

  // Returns when no thread of this wire calls the host any more. Control thread.
  virtual void join() {}
};

// What a slave speaks to its master, and to one that does not answer that within wire_probe_ms;
// without a fallback it waits on.
struct ClientWires {
  std::unique_ptr<ClientWire> first;
  std::unique_ptr<ClientWire> fallback;
};

}  // namespace ha::net
