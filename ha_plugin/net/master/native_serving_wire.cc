// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/native_serving_wire.h"

#include <fmt/format.h>

#include "ha_plugin/base/clock.h"

namespace ha::net {

using core::Reason;
using core::Refusal;

ServingWire::Found NativeServingWire::take(std::span<const std::byte>& bytes) {
  using wire::native::Reader;
  switch (reader_.take(bytes)) {
    case Reader::Found::kNothing:
      return Nothing{};
    case Reader::Found::kHello:
      return &reader_.hello();
    case Reader::Found::kPrepare:
      return &reader_.prepare();
    case Reader::Found::kAck:
      return reader_.ack();
    case Reader::Found::kPending:
      return Pending{reader_.metadata()};
    case Reader::Found::kBadChecksum:
      return Refusal{Reason::kChecksum,
                     "a message of the slave was changed on the way (checksum mismatch)"};
    case Reader::Found::kBadSize:
      return Refusal{Reason::kFrameSize,
                     fmt::format("the slave announced a message of type {} with {} bytes",
                                 reader_.type(), reader_.size())};
    default:
      return Refusal{Reason::kProtocol,
                     "the slave sent something that the native protocol does not allow there"};
  }
}

core::Status NativeServingWire::open(OutgoingFrame& out, core::Frame& frame,
                                     const MasterView& view) {
  wire::native::DataHeader label;
  label.epoch = view.epoch;
  label.confirm = view.confirm;
  label.sent_ms = unix_now_ms();
  return out.open_native(frame, label);
}

}  // namespace ha::net
