// SPDX-License-Identifier: Apache-2.0
// The native protocol, the master's side.
#pragma once

#include "ha_plugin/net/master/serving_wire.h"

namespace ha::net {

class NativeServingWire final : public ServingWire {
 public:
  const char* name() const override { return "native"; }
  // A slave has nothing to think about between the greeting and its hello.
  core::SessionOptions timing(const Settings& settings) const override {
    using std::chrono::milliseconds;
    const milliseconds silence(settings.native_housekeeping_ms);
    return {milliseconds(settings.native_heartbeat_ms), silence, silence,
            settings.transfer_batch_bytes, settings.bootstrap};
  }
  bool carries_messages() const override { return true; }

  Found take(std::span<const std::byte>& bytes) override;
  core::Status open(OutgoingFrame& out, core::Frame& frame, const MasterView& view) override;

 private:
  wire::native::Reader reader_{wire::native::Reader::Side::kMaster};
};

}  // namespace ha::net
