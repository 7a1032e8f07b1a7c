// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/autoswitch_master.h"

#include <gtest/gtest.h>

#include "ha_plugin/state/epoch_file.h"
#include "ha_plugin/wire/rocketmq_autoswitch.h"
#include "tests/unit/memory_host.h"

namespace ha::testing {

using core::Offset;

std::string file_of(const Epochs& epochs) {
  core::EpochHistory history;
  for (const core::EpochEntry& e : epochs) EXPECT_TRUE(history.append(e)) << e.epoch;
  return format_epochs(history);
}

AutoswitchMaster::AutoswitchMaster(Listener& listener) : peer_(listener.accept()) {
  wire::autoswitch::HandshakeBytes bytes{};
  EXPECT_TRUE(peer_.read(bytes.data(), bytes.size())) << "no handshake came";
  for (const std::byte b : bytes) handshake_.push_back(std::to_integer<int>(b));
}

std::vector<std::byte> AutoswitchMaster::answer_bytes(const Epochs& epochs,
                                                      std::int64_t end) const {
  const auto last = epochs.empty() ? -1 : static_cast<std::int32_t>(epochs.back().epoch);
  const auto prefix = wire::autoswitch::encode_prefix(
      {1, static_cast<std::int32_t>(12 * epochs.size()), Offset(end), last});
  std::vector<std::byte> bytes(prefix.begin(), prefix.end());
  for (const core::EpochEntry& e : epochs) {
    const auto entry = wire::autoswitch::encode_entry(e);
    bytes.insert(bytes.end(), entry.begin(), entry.end());
  }
  return bytes;
}

bool AutoswitchMaster::answer(const Epochs& epochs, std::int64_t end) {
  return peer_.send(answer_bytes(epochs, end));
}

std::int64_t AutoswitchMaster::read_report() {
  std::array<std::byte, 12> bytes{};
  if (!peer_.read(bytes.data(), bytes.size())) return INT64_MIN;
  // State 2, then the offset; a report has no other parts.
  EXPECT_EQ(std::to_integer<int>(bytes[3]), 2);
  std::int64_t offset = 0;
  for (std::size_t i = 4; i < bytes.size(); ++i) {
    offset = offset << 8 | std::to_integer<std::uint8_t>(bytes[i]);
  }
  return offset;
}

bool AutoswitchMaster::header(const core::EpochEntry& label, std::int64_t offset, std::int32_t size,
                              std::int64_t confirm, std::int32_t state) {
  return peer_.send(wire::autoswitch::encode_prefix(
             {state, size, Offset(offset), static_cast<std::int32_t>(label.epoch)})) &&
         peer_.send(wire::autoswitch::encode_transfer_rest({label.start, Offset(confirm)}));
}

bool AutoswitchMaster::data(const core::EpochEntry& label, std::int64_t offset, std::int32_t size,
                            std::int64_t confirm) {
  return header(label, offset, size, confirm) && peer_.send(bytes_at(offset, size));
}

}  // namespace ha::testing
