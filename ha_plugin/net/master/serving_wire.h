// SPDX-License-Identifier: Apache-2.0
// What differs between the wires that a master can speak to a slave: the twin of ClientWire.
//
// HaConnection has the socket, ServedReplica the rules (core::ReplicaSession). Its wire finds what
// the slave says in the bytes that come, and puts log bytes into frames.
//
// Threads: the I/O thread only. Lifecycle: one for a connection, once its first bytes have told
// which. What take returns is valid until the next take.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/net/master/outgoing_frame.h"
#include "ha_plugin/net/master/parts.h"
#include "ha_plugin/wire/native.h"

namespace ha::net {

class ServingWire {
 public:
  struct Nothing {};  // nothing complete yet
  struct Report {     // it holds all bytes below, or asks for them from there on
    core::Offset end;
  };
  struct Pending {  // what its host took in while its master was away
    std::span<const std::byte> state;
  };
  // A Refusal says why the connection must close.
  using Found = std::variant<Nothing, Report, wire::native::Ack, const core::Hello*,
                             const core::Prepare*, Pending, core::Refusal>;

  ServingWire() = default;
  ServingWire(const ServingWire&) = delete;
  ServingWire& operator=(const ServingWire&) = delete;
  virtual ~ServingWire() = default;

  virtual const char* name() const = 0;
  // How long either side may be silent.
  virtual core::SessionOptions timing(const Settings& settings) const = 0;
  // Does it carry more than the log and how far that has come: messages beside the log, frames that
  // say what readers may see, acks that say what survives a loss of power?
  virtual bool carries_messages() const = 0;

  // Takes at least a byte off the front. REQUIRES: bytes are there, and no Refusal was found.
  virtual Found take(std::span<const std::byte>& bytes) = 0;

  // Puts log bytes into a frame. The host may give fewer than asked: frame.size is then less.
  virtual core::Status open(OutgoingFrame& out, core::Frame& frame, const MasterView& view) = 0;
};

}  // namespace ha::net
