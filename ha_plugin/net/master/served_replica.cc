// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/served_replica.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "ha_plugin/net/master/rocketmq_serving_wire.h"
#include "metrics/names.h"

namespace ha::net {

using core::Reason;
using core::Refusal;
using core::Time;

namespace {

// A turn sends at most this much to one replica before the others have theirs; less to one that
// catches up, behind which the live ones would wait.
constexpr std::int64_t kMostPerTurn = std::int64_t{4} << 20;
constexpr std::int64_t kMostPerCatchUpTurn = std::int64_t{1} << 20;

// A replica with nothing to receive hears this late what its readers may see: a frame for each ack
// would double the traffic.
constexpr auto kConfirmPause = std::chrono::milliseconds(10);

}  // namespace

ServedReplica::ServedReplica(const Host& host, const Settings& settings, Time now)
    : settings_(settings),
      session_(now),
      frame_(host, settings.send_from),
      wire_(std::make_unique<RocketmqServingWire>()) {}

// ---- what it says ----------------------------------------------------------------------------

Refusal ServedReplica::take_report(core::Offset end, const MasterView& view) {
  const bool first = !session_.reported();
  const core::LogBounds& log = view.log;
  const Reason reason = session_.on_report(end, log, settings_.bootstrap);
  if (reason == Reason::kNone) return {};
  std::string text = fmt::format("the slave's report {}", end.bytes());
  if (first) {
    text += fmt::format(
        " is outside the master's log, [{}, {}]{}", log.min.bytes(), log.end.bytes(),
        reason == Reason::kRequestBelowMin
            ? ": the master has deleted those bytes; empty the slave's store to copy from "
              "scratch"
            : ": the slave's log is ahead or a different one; cut or empty its store");
  } else if (reason == Reason::kReportAhead) {
    text += fmt::format(" acknowledges more than was sent, {}",
                        std::max(session_.start(), session_.next()).bytes());
  } else {
    text += fmt::format(" is below the one before, {}", session_.ack().bytes());
  }
  return {reason, text};
}

Refusal ServedReplica::take_ack(const wire::native::Ack& ack, const MasterView& view) {
  if (ack.epoch > view.epoch) {
    return {Reason::kEpoch,
            fmt::format("the slave acknowledges bytes of epoch {}, and the master's is {}",
                        ack.epoch, view.epoch)};
  }
  const Reason reason =
      session_.on_ack(ack.received, ack.durable, ack.epoch == view.epoch, view.epoch_start);
  if (reason == Reason::kNone) return {};
  const bool ahead = reason == Reason::kReportAhead;
  return {reason, fmt::format("the slave's ack (received {}, durable {}) claims {}{}",
                              ack.received.bytes(), ack.durable.bytes(),
                              ahead ? "more than was sent, " : "less than the one before, ",
                              (ahead ? session_.next() : session_.ack()).bytes())};
}

Refusal ServedReplica::check_silence(Time now) const {
  const core::SessionOptions options = timing();
  const Reason reason = session_.check_silence(now, options);
  if (reason == Reason::kNone) return {};
  const auto in_ms = [](Time time) {
    return fmt::format("{} ms",
                       std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  };
  return {reason, reason == Reason::kHousekeeping
                      ? "the slave was silent for " + in_ms(options.housekeeping)
                      : fmt::format("no report or hello within {} of connecting",
                                    in_ms(options.first_report_timeout))};
}

void ServedReplica::join(std::shared_ptr<metrics::ReplicaMetrics> metrics) {
  metrics_ = std::move(metrics);
  metrics_->start_offset.set(session_.start().bytes());
  metrics_->sent_offset.set(session_.start().bytes());
  metrics_->ack_offset.set(session_.ack().bytes());
  metrics_->durable_offset.set(session_.durable().bytes());
  metrics_->native.set(wire_->carries_messages() ? 1 : 0);
}

void ServedReplica::count_report() {
  metrics_->reports_received.add();
  metrics_->ack_offset.set(session_.ack().bytes());
  metrics_->durable_offset.set(session_.durable().bytes());
}

// ---- what it is sent -------------------------------------------------------------------------

void ServedReplica::set_pace(Time now, const MasterView& view) {
  bucket_.set_rate(now, core::pace(settings_.max_transfer_bytes_per_s, view.catch_up, view.growth));
}

std::variant<ServedReplica::Sent, Refusal> ServedReplica::send(Channel& channel, Time now,
                                                               const MasterView& view) {
  const auto failed = [&](int error) -> std::variant<Sent, Refusal> {
    if (error == EAGAIN || error == EINTR) return Sent::kBlocked;
    return channel.why(error, "write");
  };
  const std::int64_t most = catching_up(view.log) ? kMostPerCatchUpTurn : kMostPerTurn;
  std::int64_t sent = 0;
  while (sent < most) {
    if (!frame_.active()) {
      if (Refusal why = open_next(now, view); !why.ok()) return why;
      if (!frame_.active()) return channel.flush() == 0 ? Sent::kAll : failed(errno);
    }
    const ssize_t n = frame_.write(channel);
    if (n < 0) return failed(errno);
    // Only now: a frame that waits behind a full socket has been given to nobody, and an ack of it
    // would be false.
    if (unstarted_) on_frame_started(*std::exchange(unstarted_, std::nullopt));
    session_.on_written(now);
    sent += n;
  }
  return Sent::kShare;
}

// Opens nothing if there is nothing to send now.
Refusal ServedReplica::open_next(Time now, const MasterView& view) {
  if (message_) {
    frame_.open_message(std::exchange(message_, nullptr));
    return {};
  }
  if (refused_) return *refused_;
  auto frame = session_.next_frame(now, view.log, bucket_.allowance(now), timing());
  if (!frame && now >= confirm_due(view)) frame = core::Frame{session_.next(), 0};
  if (!frame) return {};
  sent_confirm_ = view.confirm;
  if (const core::Status status = wire_->open(frame_, *frame, view); status != core::Status::kOk) {
    return open_failed(*frame, status);
  }
  unstarted_ = *frame;
  return {};
}

Refusal ServedReplica::open_failed(const core::Frame& frame, core::Status status) const {
  const std::string at = std::to_string(frame.offset.bytes());
  if (status == core::Status::kRange) {
    return {Reason::kRequestBelowMin,
            fmt::format("the master deleted the bytes at {} before the slave had them", at)};
  }
  return {Reason::kHostError,
          fmt::format("the master's host could not give the bytes at {}: {}", at,
                      metrics::status_name(static_cast<std::int32_t>(status)))};
}

void ServedReplica::on_frame_started(const core::Frame& frame) {
  session_.on_frame_started(frame);
  bucket_.take(frame.size);
  metrics_->sent_offset.set(session_.next().bytes());
  metrics_->bytes_sent.add(static_cast<std::uint64_t>(frame.size));
  (frame.size > 0 ? metrics_->frames_sent : metrics_->heartbeats_sent).add();
}

Time ServedReplica::next_due(Time now, const MasterView& view, bool can_send) {
  Time due = session_.next_check(timing(), can_send);
  if (!can_send) return due;
  if (session_.reported() && view.log.end > session_.next() && bucket_.allowance(now) == 0) {
    due = std::min(due, bucket_.ready_at(now));
  }
  return std::min(due, confirm_due(view));
}

Time ServedReplica::confirm_due(const MasterView& view) const {
  const bool tell =
      wire_->carries_messages() && session_.reported() && view.confirm > sent_confirm_;
  return tell ? session_.last_write() + kConfirmPause : core::kNever;
}

}  // namespace ha::net
