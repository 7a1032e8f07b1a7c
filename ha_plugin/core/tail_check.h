// SPDX-License-Identifier: Apache-2.0
// Which of its last bytes a slave asks for once more, and what the answer says of the two logs.
//
// RocketMQ's default wire carries no proof that a master's log goes on where this one ends. A
// master that has deleted what the slave needs sends heartbeats for ever, and so does one whose log
// ends before the slave's; one that lost its tail and has grown since sends bytes of another
// history. To a slave that asks for its log's end the first two look idle and the third looks
// healthy. The wire does let a slave ask for any offset, though: so it asks for some bytes that it
// holds, and compares them with what comes.
#pragma once

#include <cstdint>

#include "ha_plugin/core/types.h"

namespace ha::core {

class TailCheck {
 public:
  // Nothing to check.
  TailCheck() = default;
  // Asks for at most that many bytes again. Not beyond the last segment's start, since masters
  // delete whole segments, and never for offset 0, which means something else on the wire.
  TailCheck(const LogBounds& log, std::int64_t bytes);

  // Still to be compared: [next, next + left).
  std::int64_t left() const { return end_ - next_; }
  Offset next() const { return next_; }
  void matched(std::int64_t size);

  // A heartbeat came. True = the master has nothing at next, and there is something. One proves
  // nothing: RocketMQ's master may send it just before the data.
  bool on_heartbeat();

 private:
  Offset next_;
  Offset end_;
  int heartbeats_ = 0;  // since the last byte
};

}  // namespace ha::core
