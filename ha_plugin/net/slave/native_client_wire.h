// SPDX-License-Identifier: Apache-2.0
// The native protocol, the slave's side: it says who it is and what its log's last bytes are, does
// what the master decides, takes frames whose checksum holds, and acknowledges what it has received
// and what of that is durable.
#pragma once

#include <functional>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/slave/client_wire.h"
#include "ha_plugin/net/slave/cut_copy.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/term_keeper.h"
#include "ha_plugin/wire/native.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class NativeClientWire final : public ClientWire {
 public:
  // incarnation: higher at each start of this node. on_cut: this log is about to be cut or emptied.
  // on_upstream: where the master's log comes from.
  NativeClientWire(const Host& host, const Settings& settings, metrics::HaMetrics& metrics,
                   TermKeeper& terms, DegradedKeeper& degraded, std::uint64_t incarnation,
                   std::function<void()> on_cut,
                   std::function<void(const core::Upstream&)> on_upstream)
      : host_(host),
        settings_(settings),
        metrics_(metrics),
        terms_(terms),
        degraded_(degraded),
        incarnation_(incarnation),
        on_cut_(std::move(on_cut)),
        on_upstream_(std::move(on_upstream)),
        cut_copy_(host, metrics.client) {}

  void dialled(const Address& master) override { dialled_ = settings_.replicas.id_at(master); }
  void on_proved(const core::ProvedNames& names) override { proved_ = names; }
  std::span<const std::byte> open() override;
  std::span<const std::byte> reply() override;
  bool answered() const override { return reader_.greeted(); }
  bool is_native() const override { return true; }
  Timing timing(const Settings& settings) const override {
    return {std::chrono::milliseconds(settings.native_heartbeat_ms),
            std::chrono::milliseconds(settings.native_housekeeping_ms)};
  }
  std::int64_t epoch() const override { return reader_.greeting().epoch; }
  bool wants_tail_check() const override { return false; }
  bool ready() const override { return ready_; }
  core::Offset position(core::Offset end) const override { return end; }
  std::span<const std::byte> report(core::Offset position) override;
  Refusal take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) override;
  void body(std::span<const std::byte> bytes) override { reader_.body(bytes); }
  bool body_is_whole() override;
  core::FrameVerdict begin(const Frame& frame, const core::LogBounds& log) override;
  Refusal grown(core::Offset end) override;
  std::span<const std::byte> beside_the_log() override;
  void join() override { cut_copy_.stop(); }

 private:
  Refusal on_greeting();
  Refusal on_answer();
  Refusal check_epoch(const core::Answer& answer) const;
  Refusal may_reset() const;
  Refusal reset(core::Offset start);
  Refusal may_cut(core::Offset to, const std::string& range) const;
  Refusal cut(core::Offset to);
  Refusal enter(core::Offset min, core::Offset end);
  void on_metadata();
  Refusal on_upstream();

  const Host& host_;
  const Settings& settings_;
  metrics::HaMetrics& metrics_;
  TermKeeper& terms_;
  DegradedKeeper& degraded_;
  const std::uint64_t incarnation_;
  const std::function<void()> on_cut_;
  const std::function<void(const core::Upstream&)> on_upstream_;
  CutCopy cut_copy_;
  std::string dialled_;  // whose address it is in the set; "" = nobody's
  wire::native::Reader reader_{wire::native::Reader::Side::kSlave};
  wire::Report opening_{};
  core::ProvedNames proved_;  // the master's, by TLS
  core::Hello hello_;
  wire::native::Bytes reply_;
  wire::native::Bytes said_;
  wire::native::AckBytes ack_{};
  struct {
    std::string sent;  // the host's state, as this master was sent it last
    int ticks_since = 0;
    bool failed = false;
    wire::native::Bytes message;
  } pending_;
  core::EpochHistory told_;    // the master's
  core::Offset confirm_;       // the newest that the master told
  core::Offset told_confirm_;  // and that the host was told
  bool all_well_ = false;      // the master told that it has no degraded range open
  core::Offset durable_;       // as the last ack had it
  bool ready_ = false;
};

}  // namespace ha::net
