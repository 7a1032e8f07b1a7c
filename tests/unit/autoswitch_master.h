// SPDX-License-Identifier: Apache-2.0
// A RocketMQ master in controller mode, spoken by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ha_plugin/core/epoch_history.h"
#include "tests/unit/peer.h"

namespace ha::testing {

using Epochs = std::vector<core::EpochEntry>;

inline core::EpochEntry epoch(std::int64_t number, std::int64_t start) {
  return {number, core::Offset(start)};
}

// The text of an epoch file.
std::string file_of(const Epochs& epochs);

class AutoswitchMaster {
 public:
  // Waits for the slave and its handshake.
  explicit AutoswitchMaster(Listener& listener);

  const std::vector<int>& handshake() const { return handshake_; }
  bool answer(const Epochs& epochs, std::int64_t end);
  std::vector<std::byte> answer_bytes(const Epochs& epochs, std::int64_t end) const;
  std::int64_t read_report();  // INT64_MIN = none came
  // Answers, and hears where the slave wants to go on.
  std::int64_t first_report(const Epochs& epochs, std::int64_t end) {
    return answer(epochs, end) ? read_report() : INT64_MIN;
  }
  // A header; a body of size bytes must follow.
  bool header(const core::EpochEntry& label, std::int64_t offset, std::int32_t size,
              std::int64_t confirm = 0, std::int32_t state = 2);
  // A frame whose body is what stands there in every test log.
  bool data(const core::EpochEntry& label, std::int64_t offset, std::int32_t size,
            std::int64_t confirm = 0);
  bool heartbeat(const core::EpochEntry& label, std::int64_t offset, std::int64_t confirm = 0) {
    return header(label, offset, 0, confirm);
  }

  Peer& peer() { return peer_; }
  bool wait_closed() { return peer_.wait_closed(); }

 private:
  Peer peer_;
  std::vector<int> handshake_;
};

}  // namespace ha::testing
