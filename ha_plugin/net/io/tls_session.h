// SPDX-License-Identifier: Apache-2.0
// One TLS connection without its socket: ciphertext goes in and comes out, plaintext comes out and
// goes in. Channel joins it to a socket.
//
// Threads: its owner's.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "ha_plugin/core/identity.h"
#include "ha_plugin/core/types.h"

namespace ha::net {

class TlsContext;

class TlsSession {
 public:
  enum class Side { kServer, kClient };

  TlsSession() = default;
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  virtual ~TlsSession() = default;

  // Ciphertext from the peer. The bytes must stay until read() has returned something else than
  // kBytes.
  virtual void feed(std::span<const std::byte> bytes) = 0;

  enum class Read { kBytes, kWantsMore, kClosed, kFailed };
  // Goes on with the handshake and takes plaintext out. kClosed: the peer has said goodbye.
  virtual Read read(std::span<std::byte> into, std::size_t& size) = 0;

  // Encrypts all of it; before the handshake is over it waits for that. Returns false when the
  // connection has failed.
  virtual bool write(std::span<const std::byte> bytes) = 0;

  // Ciphertext for the peer, and how much of it the socket took.
  virtual std::span<const std::byte> output() const = 0;
  virtual void sent(std::size_t bytes) = 0;

  // The handshake is over, and the peer has proved who it is: proved() is not empty.
  bool established() const { return !proved().empty(); }
  virtual const core::ProvedNames& proved() const = 0;
  // "" or why that context would not let the peer in. REQUIRES: established().
  virtual std::string check_again(const TlsContext& context) const = 0;

  // Once something has failed: kTls, or kIdentity if the peer is a good one and not this one. text:
  // one clause, what is wrong and the way out.
  virtual const core::Refusal& failure() const = 0;
  // The peer said something. If not, it may be a node that does not know TLS.
  virtual bool peer_spoke() const = 0;
};

}  // namespace ha::net
