// SPDX-License-Identifier: Apache-2.0
// One replica's connection by the rules of RocketMQ's HA protocol, the master's side.
//
// The master says nothing until the replica's first report, which is the offset that it asks for;
// then it sends frames from there on, and heartbeats when there is nothing to send. Every later
// report acknowledges all bytes below it.
//
// What RocketMQ does not check and this does: a request must lie inside the log (0 asks for a start
// of the master's choosing); a report may neither fall nor name bytes that were never sent here. An
// offender is closed and completes nobody's wait.
//
// The session only decides. The owner of the socket tells it what happened and when.
#pragma once

#include <cstdint>
#include <optional>

#include "ha_plugin/core/types.h"

namespace ha::core {

enum class Bootstrap { kLatestSegment, kEarliest };

struct SessionOptions {
  Time heartbeat;
  Time housekeeping;
  Time first_report_timeout;
  std::int64_t batch_bytes = 0;
  Bootstrap bootstrap = Bootstrap::kLatestSegment;
};

// Where a replica that holds nothing starts.
Offset bootstrap_start(const LogBounds& log, Bootstrap bootstrap);

struct Frame {
  Offset offset;
  std::int64_t size = 0;  // 0 = heartbeat
  Offset end() const { return offset + size; }
};

class ReplicaSession {
 public:
  explicit ReplicaSession(Time now) : opened_(now), last_read_(now), last_write_(now) {}

  // The native handshake let the replica in: it is served from start. What it holds is for its acks
  // to say.
  void accept(Offset start);
  // A report arrived. kNone = it is good; else why the connection must close.
  Reason on_report(Offset value, const LogBounds& log, Bootstrap bootstrap);
  // The same for a native ack. entered: the replica has entered this master's epoch; what it holds
  // counts only from then on, since it may be older bytes of a history that ends elsewhere. Its
  // durable part counts from epoch_start on: below, a loss of power would take the entry with it.
  // REQUIRES: accept was called.
  Reason on_ack(Offset received, Offset durable, bool entered, Offset epoch_start);
  // Bytes arrived, whether or not they complete a report.
  void on_bytes(Time now) { last_read_ = now; }

  // What to send next: a data frame when the log goes on and allowance (bytes of body) permits,
  // else a heartbeat when one is due, else nothing. REQUIRES: the last frame was written whole.
  std::optional<Frame> next_frame(Time now, const LogBounds& log, std::int64_t allowance,
                                  const SessionOptions& options) const;
  // The frame's first byte is about to be handed to the socket. frame.size is what is really sent.
  void on_frame_started(const Frame& frame);
  void on_written(Time now) { last_write_ = now; }
  Time last_write() const { return last_write_; }
  Time last_read() const { return last_read_; }

  // Why the connection must close for silence, or kNone.
  Reason check_silence(Time now, const SessionOptions& options) const;
  // When to ask for that, or for a heartbeat, again. can_send: false while a frame is stuck in the
  // socket, when no heartbeat could go out.
  Time next_check(const SessionOptions& options, bool can_send) const;

  bool reported() const { return ack_ != kNoOffset; }
  State state() const { return reported() ? State::kTransfer : State::kHandshake; }
  Offset ack() const { return ack_; }
  // As far as the replica says that its copy survives a loss of power; kNoOffset where its wire
  // cannot say that.
  Offset durable() const { return durable_; }
  Offset start() const { return start_; }
  Offset next() const { return next_; }

 private:
  Time opened_;
  Time last_read_;
  Time last_write_;
  Offset ack_ = kNoOffset;
  Offset durable_ = kNoOffset;
  Offset told_received_ = kNoOffset;  // of a native ack, whether or not it counts
  Offset told_durable_ = kNoOffset;
  Offset start_ = kNoOffset;
  Offset next_ = kNoOffset;
  bool greeted_ = false;  // a frame went out since the first report
};

}  // namespace ha::core
