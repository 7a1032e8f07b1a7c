// The native protocol, the slave's side: it says who it is and what its log's last bytes are, does
// what the master decides, takes frames whose checksum holds, and acknowledges what it has received
// and what of that is durable.
//
// AutoClientWire begins in the same way and goes on as a RocketMQ slave when nobody answers: a
// RocketMQ master takes the opening for a slave that has not reported yet.
#pragma once

#include <functional>

#include "ha_plugin/host.h"
#include "ha_plugin/net/client_wire.h"
#include "ha_plugin/net/rocketmq_client_wire.h"
#include "ha_plugin/settings.h"
#include "ha_plugin/wire/native.h"

namespace ha::net {

// XXH3-64 of [begin, end) of the host's log; nothing when it cannot be read. Blocks for the read.
std::optional<std::uint64_t> hash_log(const Host& host, core::Offset begin, core::Offset end);

class NativeClientWire final : public ClientWire {
 public:
  // incarnation: higher at each start of this node. on_reset: this log is about to be emptied.
  NativeClientWire(const Host& host, const Settings& settings, std::uint64_t incarnation,
                   std::function<void()> on_reset)
      : host_(host),
        settings_(settings),
        incarnation_(incarnation),
        on_reset_(std::move(on_reset)) {}

  std::span<const std::byte> open() override;
  std::span<const std::byte> reply() override;
  bool is_native() const override { return true; }
  bool wants_tail_check() const override { return false; }
  bool ready() const override { return ready_; }
  core::Offset position(core::Offset end) const override { return end; }
  std::span<const std::byte> report(core::Offset position) override;
  Refusal take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) override;
  bool has_checksums() const override { return true; }
  void body(std::span<const std::byte> bytes) override { reader_.body(bytes); }
  bool body_is_whole() const override { return reader_.body_is_whole(); }
  core::FrameVerdict begin(const Frame& frame, const core::LogBounds& log) override;
  Refusal grown(core::Offset) override { return {}; }

  // The master has said something.
  bool answered() const { return reader_.greeted(); }

 private:
  Refusal on_greeting();
  Refusal on_answer();
  void on_metadata();

  const Host& host_;
  const Settings& settings_;
  const std::uint64_t incarnation_;
  const std::function<void()> on_reset_;
  wire::native::Reader reader_{wire::native::Reader::Side::kSlave};
  wire::Report opening_{};
  core::Hello hello_;
  wire::native::Bytes reply_;
  wire::native::Bytes said_;
  wire::native::AckBytes ack_{};
  core::Offset durable_;  // as the last ack had it
  bool ready_ = false;
};

class AutoClientWire final : public ClientWire {
 public:
  AutoClientWire(std::unique_ptr<NativeClientWire> native, const Settings& settings)
      : settings_(settings), native_(std::move(native)) {}

  std::span<const std::byte> open() override {
    now_ = native_.get();
    return now_->open();
  }
  std::int64_t patience_ms() const override { return settings_.wire_probe_ms; }
  std::span<const std::byte> nobody_answered() override {
    if (native_->answered()) return {};
    now_ = &rocketmq_;
    return now_->open();
  }
  std::span<const std::byte> reply() override { return now_->reply(); }
  bool is_native() const override { return now_->is_native(); }
  bool wants_tail_check() const override { return now_->wants_tail_check(); }
  bool ready() const override { return now_->ready(); }
  core::Offset position(core::Offset end) const override { return now_->position(end); }
  std::span<const std::byte> report(core::Offset position) override {
    return now_->report(position);
  }
  Refusal take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) override {
    Refusal refusal = now_->take(bytes, frame);
    // No RocketMQ log is that long; a greeting looks like that.
    const bool late = frame && !now_->is_native() && frame->offset.bytes() >> 32 == 0x48410100;
    if (late) return {core::Reason::kProtocol, "it answered late (raise option 'wire_probe_ms')"};
    return refusal;
  }
  bool has_checksums() const override { return now_->has_checksums(); }
  void body(std::span<const std::byte> bytes) override { now_->body(bytes); }
  bool body_is_whole() const override { return now_->body_is_whole(); }
  core::FrameVerdict begin(const Frame& frame, const core::LogBounds& log) override {
    return now_->begin(frame, log);
  }
  Refusal grown(core::Offset end) override { return now_->grown(end); }

 private:
  const Settings& settings_;
  const std::unique_ptr<NativeClientWire> native_;
  RocketmqClientWire rocketmq_;
  ClientWire* now_ = native_.get();
};

}  // namespace ha::net
