// SPDX-License-Identifier: Apache-2.0
// RocketMQ's wire, the master's side: 8 bytes are a report, and a frame is 12 bytes and the log's.
#pragma once

#include "ha_plugin/net/master/serving_wire.h"
#include "ha_plugin/wire/rocketmq.h"

namespace ha::net {

class RocketmqServingWire final : public ServingWire {
 public:
  const char* name() const override { return "RocketMQ"; }
  core::SessionOptions timing(const Settings& settings) const override {
    using std::chrono::milliseconds;
    return {milliseconds(settings.heartbeat_ms), milliseconds(settings.housekeeping_ms),
            milliseconds(settings.first_report_timeout_ms), settings.transfer_batch_bytes,
            settings.bootstrap};
  }
  bool carries_messages() const override { return false; }

  Found take(std::span<const std::byte>& bytes) override {
    if (!report_.take(bytes)) return Nothing{};
    return Report{wire::decode_report(report_.bytes())};
  }
  core::Status open(OutgoingFrame& out, core::Frame& frame, const MasterView&) override {
    return out.open(frame);
  }

 private:
  wire::ReportGather report_;
};

}  // namespace ha::net
