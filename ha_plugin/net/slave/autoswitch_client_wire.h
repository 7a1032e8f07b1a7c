// SPDX-License-Identifier: Apache-2.0
// RocketMQ's controller mode (AutoSwitchHAService), the slave's side, as a learner: it says so in
// its handshake, so the master never takes it into the set that elects and confirms.
//
// core::Learner decides; here its decisions are carried out: the log is cut, the history of epochs
// is read from and written to its file, the host is told the master's confirm offset. The file is
// read on each handshake, so that an operator may put one there while following is suspended.
#pragma once

#include <functional>
#include <string>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/learner.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/slave/client_wire.h"
#include "ha_plugin/state/epoch_file.h"
#include "ha_plugin/wire/rocketmq_autoswitch.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class AutoswitchClientWire final : public ClientWire {
 public:
  // on_cut: the log is about to be cut; whoever holds pins on it, or followed it, must go.
  AutoswitchClientWire(const Host& host, const Settings& settings, metrics::HaMetrics& metrics,
                       std::function<void()> on_cut);

  std::span<const std::byte> open() override;
  bool wants_tail_check() const override { return false; }  // the epochs tell
  bool ready() const override { return ready_; }
  core::Offset position(core::Offset end) const override { return learner_.position(end); }
  std::span<const std::byte> report(core::Offset position) override;
  Refusal take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) override;
  core::FrameVerdict begin(const Frame& frame, const core::LogBounds& log) override;
  Refusal grown(core::Offset end) override;

 private:
  Refusal on_handshake();
  Refusal cut(core::Offset from, core::Offset to);
  Refusal save();
  void publish();

  const Host& host_;
  const Settings& settings_;
  metrics::HaMetrics& metrics_;
  const std::function<void()> on_cut_;
  const EpochFile file_;
  core::Learner learner_;
  wire::autoswitch::MasterReader reader_;
  wire::autoswitch::HandshakeBytes greeting_{};
  wire::autoswitch::ReportBytes report_{};
  bool ready_ = false;
  bool warned_of_readers_ = false;
};

}  // namespace ha::net
