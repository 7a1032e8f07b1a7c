// SPDX-License-Identifier: Apache-2.0
// One slave as its master serves it: what it says that it holds is judged, and what it is sent next
// is chosen, framed and paced.
//
// core::ReplicaSession has the rules. Here they meet the wire, the host's bytes and the replica's
// metrics. HaConnection has the socket, the timer and the end of it all: this class waits for
// nothing and closes nothing. It returns what stands in the way.
//
// Threads: the I/O thread only. Lifecycle: as its connection, from before it is known who the peer
// is; joined() makes it count. Until then only messages go out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/catch_up.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/core/token_bucket.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/net/master/outgoing_frame.h"
#include "ha_plugin/net/master/parts.h"
#include "ha_plugin/net/master/serving_wire.h"
#include "ha_plugin/wire/native.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class ServedReplica {
 public:
  // It speaks RocketMQ's wire until speak().
  ServedReplica(const Host& host, const Settings& settings, core::Time now);

  const core::ReplicaSession& session() const { return session_; }
  ServingWire& wire() const { return *wire_; }
  void speak(std::unique_ptr<ServingWire> wire) { wire_ = std::move(wire); }
  metrics::ReplicaMetrics* metrics() const { return metrics_.get(); }
  // It lacks more than live traffic leaves behind.
  bool catching_up(const core::LogBounds& log) const {
    return session_.reported() && log.end - session_.next() > core::kLiveTailBytes;
  }

  // ---- what it says ----
  void on_bytes(core::Time now) { session_.on_bytes(now); }
  // Its HELLO was taken.
  void accept(core::Offset start) { session_.accept(start); }
  // A Refusal that is not ok says why the connection must close.
  core::Refusal take_report(core::Offset end, const MasterView& view);
  core::Refusal take_ack(const wire::native::Ack& ack, const MasterView& view);
  core::Refusal check_silence(core::Time now) const;
  // It counts from now on, and these are its metrics.
  void join(std::shared_ptr<metrics::ReplicaMetrics> metrics);
  bool joined() const { return metrics_ != nullptr; }
  // A report or an ack was good. REQUIRES: it has joined.
  void count_report();

  // ---- what it is sent ----
  // To go out before any frame.
  void set_message(std::shared_ptr<const wire::native::Bytes> message) {
    message_ = std::move(message);
  }
  bool has_message() const { return message_ != nullptr; }
  // Once the message is out, that is what send() returns. What it says meanwhile does not matter.
  void refuse(core::Refusal why) { refused_ = std::move(why); }
  bool refused() const { return refused_.has_value(); }

  enum class Sent {
    kAll,      // nothing more is to be sent now
    kBlocked,  // the socket takes no more
    kShare,    // its share of this turn: the other replicas are next
  };
  // A Refusal says why the connection must close.
  std::variant<Sent, core::Refusal> send(Channel& channel, core::Time now, const MasterView& view);
  // From now on what it is sent will be encrypted.
  void never_from_file() { frame_.never_from_file(); }
  // As fast as options and the log's growth allow from now on.
  void set_pace(core::Time now, const MasterView& view);
  // When there is something to do without an event. can_send: the socket takes bytes.
  core::Time next_due(core::Time now, const MasterView& view, bool can_send);
  // When it hears of what readers may see, if nothing else is sent; kNever = it knows.
  core::Time confirm_due(const MasterView& view) const;
  // Lets go of the host's bytes.
  void release() { frame_.release(); }

 private:
  core::Refusal open_next(core::Time now, const MasterView& view);
  core::Refusal open_failed(const core::Frame& frame, core::Status status) const;
  void on_frame_started(const core::Frame& frame);
  core::SessionOptions timing() const { return wire_->timing(settings_); }

  const Settings& settings_;
  core::ReplicaSession session_;
  core::TokenBucket bucket_;
  OutgoingFrame frame_;
  std::optional<core::Frame> unstarted_;  // frame_'s, until its first byte is in the socket
  std::unique_ptr<ServingWire> wire_;
  std::shared_ptr<const wire::native::Bytes> message_;
  std::optional<core::Refusal> refused_;
  std::shared_ptr<metrics::ReplicaMetrics> metrics_;
  core::Offset sent_confirm_ = core::kNoOffset;
};

}  // namespace ha::net
