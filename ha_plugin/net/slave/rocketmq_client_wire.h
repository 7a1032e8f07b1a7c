// SPDX-License-Identifier: Apache-2.0
// RocketMQ's default mode, the slave's side: the first report asks, the later ones acknowledge, and
// nothing is known of the master but the offsets of its frames.
#pragma once

#include "ha_plugin/net/slave/client_wire.h"
#include "ha_plugin/wire/rocketmq.h"

namespace ha::net {

class RocketmqClientWire final : public ClientWire {
 public:
  std::span<const std::byte> open() override {
    header_ = {};
    return {};
  }
  bool wants_tail_check() const override { return true; }
  bool ready() const override { return true; }
  core::Offset position(core::Offset end) const override { return end; }
  std::span<const std::byte> report(core::Offset position) override {
    report_ = wire::encode_report(position);
    return report_;
  }
  Refusal take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) override {
    if (header_.take(bytes)) {
      const wire::FrameHeader header = wire::decode_header(header_.bytes());
      // No log is that long; the native greeting of a master that answered late looks like that.
      if (header.offset.bytes() >> 32 == 0x48410100) {
        return {core::Reason::kProtocol,
                "it is of our own kind and answered late (raise option 'wire_probe_ms')"};
      }
      frame = Frame{header.offset, header.size};
    }
    return {};
  }
  core::FrameVerdict begin(const Frame& frame, const core::LogBounds& log) override {
    return core::judge_frame(frame.offset, frame.size, log);
  }
  Refusal grown(core::Offset) override { return {}; }

 private:
  wire::HeaderGather header_;
  wire::Report report_{};
};

}  // namespace ha::net
