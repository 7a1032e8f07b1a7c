// SPDX-License-Identifier: Apache-2.0
// A TCP connection that blocks, with a deadline on everything: what the HTTP client and the raw
// peers of the HA port are made of.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "tests/system/deadline.h"
#include "tests/system/descriptor.h"

namespace ha::system {

struct Address {
  std::string host;  // an IPv4 address
  int port = 0;

  std::string text() const { return host + ":" + std::to_string(port); }
};

// "127.0.0.1:8080"; throws Failure for anything else.
Address parse_address(std::string_view text);

class Tcp {
 public:
  // network: descriptor of a network namespace to connect in; -1 = the test's own. Throws Failure
  // when nothing answers at once.
  explicit Tcp(const Address& address, int network = -1);

  // Throws Failure when the peer has gone or the deadline passes.
  void send(std::string_view bytes);
  // As send, but says false when the peer has gone.
  bool try_send(std::string_view bytes);
  // Up to `most` bytes; "" = the peer closed. Throws at the deadline.
  std::string receive(std::size_t most = 65536, std::chrono::milliseconds deadline = kDeadline);
  std::string receive_exactly(std::size_t size);
  // Takes what comes until the peer closes or resets. Throws at the deadline.
  void drain();
  void close() { socket_.reset(); }

 private:
  std::string peer_;
  Descriptor socket_;
};

}  // namespace ha::system
