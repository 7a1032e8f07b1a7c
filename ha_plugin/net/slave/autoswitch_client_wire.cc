// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/autoswitch_client_wire.h"

#include <fmt/format.h>

#include <utility>

#include "ha_plugin/state/term_keeper.h"

namespace ha::net {

using core::Offset;
using core::Reason;
using core::Status;
using wire::autoswitch::MasterReader;

AutoswitchClientWire::AutoswitchClientWire(const Host& host, const Settings& settings,
                                           metrics::HaMetrics& metrics,
                                           std::function<void()> on_cut)
    : host_(host),
      settings_(settings),
      metrics_(metrics),
      on_cut_(std::move(on_cut)),
      file_(settings.state_dir) {
  metrics_.client.master_confirm.set(core::kNoOffset.bytes());
}

std::span<const std::byte> AutoswitchClientWire::open() {
  if (!host_.can_confirm() && !std::exchange(warned_of_readers_, true)) {
    host_.warn(
        "the host has no hook 'confirm': its readers see what the master has not confirmed, and "
        "which another master may not have");
  }
  ready_ = false;
  learner_ = {};
  reader_ = {};
  // Once per connection, and in one piece: RocketMQ's master reads it as soon as 12 of the 16 bytes
  // are there. An answer that does not come is housekeeping's to notice.
  greeting_ = wire::autoswitch::encode_handshake(
      {settings_.rocketmq_sync_from_last_file, true, settings_.rocketmq_broker_id});
  return greeting_;
}

std::span<const std::byte> AutoswitchClientWire::report(Offset position) {
  report_ = wire::autoswitch::encode_report(position);
  return report_;
}

Refusal AutoswitchClientWire::take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) {
  switch (reader_.take(bytes)) {
    case MasterReader::Found::kNothing:
      return {};
    case MasterReader::Found::kHandshake:
      return on_handshake();
    case MasterReader::Found::kTransfer:
      frame = Frame{reader_.prefix().offset, reader_.prefix().size};
      return {};
    case MasterReader::Found::kBadSize:
      return {Reason::kFrameSize,
              fmt::format("the master's handshake announced {} bytes; they are 12 for each of at "
                          "most {} epochs",
                          reader_.prefix().size, core::kMaxEpochs)};
    case MasterReader::Found::kBadState:
      break;
  }
  return {Reason::kProtocol,
          fmt::format("the master sent a message of state {} {} its handshake: is it a RocketMQ "
                      "broker in controller mode, 5.1.1 or later? (option 'wire': 'rocketmq' "
                      "follows one in default mode)",
                      reader_.prefix().state, reader_.greeted() ? "after" : "instead of")};
}

Refusal AutoswitchClientWire::on_handshake() {
  ha_bounds bounds{};
  if (HostResult r = host_.bounds(bounds); !r.ok()) return to_refusal(std::move(r));
  const core::LogBounds log = to_core(bounds);
  const EpochFile::Loaded stored = file_.load();
  if (!stored.error.empty()) return {Reason::kHostError, stored.error};
  if (!stored.note.empty()) host_.warn(stored.note);

  core::Learner::Answer answer = learner_.on_handshake(reader_.handshake(), stored.history, log);
  publish();
  if (answer.reason != Reason::kNone) return {answer.reason, std::move(answer.text)};
  // Log first, history second: see core::Learner.
  if (answer.end < log.end) {
    if (Refusal refusal = cut(log.end, answer.end); !refusal.ok()) return refusal;
  }
  if (learner_.history() != stored.history) {
    if (Refusal refusal = save(); !refusal.ok()) return refusal;
  }
  ready_ = true;
  return {};
}

Refusal AutoswitchClientWire::cut(Offset from, Offset to) {
  const std::string range = fmt::format("from {} to {}, where the master's log went on differently",
                                        from.bytes(), to.bytes());
  on_cut_();
  HostResult result = host_.truncate(epoch(), to);
  switch (result.status) {
    case Status::kOk:
      host_.warn("cut the log " + range + "; slaves of this node that held more must be emptied");
      return {};
    case Status::kRange:
    case Status::kUnsupported:
      return {Reason::kDiverged,
              fmt::format("this log must be cut {}, and cannot be: {}; empty this store to copy "
                          "from scratch",
                          range, result.text)};
    default:
      return to_refusal(std::move(result));
  }
}

core::FrameVerdict AutoswitchClientWire::begin(const Frame& frame, const core::LogBounds& log) {
  core::FrameVerdict verdict = learner_.on_frame(reader_.label(), frame.offset, frame.size, log);
  if (verdict.reason != Reason::kNone) return verdict;
  if (learner_.enter_epochs(frame.offset + frame.size)) {
    if (Refusal refusal = save(); !refusal.ok()) return {refusal.reason, false, refusal.text};
    host_.info(fmt::format("entered epoch {}", learner_.history().last_epoch()));
  }
  // Before the first byte: from then on the host's readers have a bound.
  if (Refusal refusal = grown(log.end); !refusal.ok()) {
    return {refusal.reason, false, refusal.text};
  }
  return verdict;
}

Refusal AutoswitchClientWire::grown(Offset end) {
  metrics_.client.master_confirm.set(learner_.master_confirm().bytes());
  const std::optional<Offset> confirm = learner_.confirm(end);
  if (!confirm || !host_.can_confirm()) return {};
  HostResult result = host_.confirm(epoch(), *confirm);
  if (!result.ok()) return to_refusal(std::move(result));
  return {};
}

Refusal AutoswitchClientWire::save() {
  std::string failed = file_.save(learner_.history());
  if (!failed.empty()) return {Reason::kHostError, std::move(failed)};
  publish();
  return {};
}

void AutoswitchClientWire::publish() {
  metrics_.epoch.set(learner_.history().last_epoch());
  metrics_.epochs.set(to_metrics(learner_.history()));
  metrics_.client.master_epochs.set(to_metrics(learner_.master()));
}

}  // namespace ha::net
