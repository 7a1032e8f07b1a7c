// SPDX-License-Identifier: Apache-2.0
// A slave on the RocketMQ wire without a store: it reports what it is told to report. Also whatever
// else may knock on the HA port.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>

#include "tests/system/tcp.h"

namespace ha::system {

struct Frame {
  std::int64_t offset = 0;
  std::string body;  // empty = heartbeat

  std::int64_t end() const { return offset + static_cast<std::int64_t>(body.size()); }
};

class Peer {
 public:
  explicit Peer(const Address& master) : connection_(master) {}

  void report(std::int64_t offset);
  Frame read_frame();
  // Reads frames until one ends at `end` or beyond.
  void read_until(std::int64_t end);
  Tcp& connection() { return connection_; }

 private:
  Tcp connection_;
  std::int64_t read_ = 0;
};

}  // namespace ha::system
