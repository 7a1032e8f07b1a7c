// SPDX-License-Identifier: Apache-2.0
// How well each replica keeps up with the log: whether it is in sync, comes nearer while it catches
// up, and at what rate it is sent bytes.
//
// It knows when the log's bytes were appended and how fast the log grows, which is what "behind" is
// measured by. It tells the TransferService who is in sync, keeps the gauges and writes the log
// lines; what the host hears of it is the caller's part.
//
// Threads: the I/O thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ha_plugin/core/catch_up.h"
#include "ha_plugin/core/in_sync_member.h"
#include "ha_plugin/core/lag_ring.h"
#include "ha_plugin/core/log_growth.h"
#include "ha_plugin/net/master/ha_connection.h"
#include "ha_plugin/net/master/parts.h"

namespace ha::net {

class ReplicaWatch {
 public:
  // What is remembered of one replica.
  struct Watched {
    std::shared_ptr<HaConnection> connection;
    std::string replica_id;           // "" until it joined
    std::uint64_t bytes_at_tick = 0;  // for the rate
    core::InSyncMember member;
    core::CatchUpWatch catch_up;
  };

  explicit ReplicaWatch(const MasterParts& parts) : parts_(parts) {}

  // The log ends there now.
  void record(core::Offset end, core::Time now) { history_.record(end, now); }
  // The log was cut: when its bytes were appended is not known any more.
  void forget_history() { history_.forget(); }
  const core::LogGrowth& growth() const { return growth_; }
  // What a replica that catches up may be sent now, in bytes per second on top of growth; 0 = no
  // limit. in_sync: producers may need it.
  std::int64_t catch_up_rate(bool in_sync) const;

  // It joins with these metrics.
  void begin(Watched& watched, metrics::ReplicaMetrics& replica, core::Time now) const;
  // The log or its ack may have moved. Returns true if it is in sync now and was not, or the other
  // way round.
  bool judge(Watched& watched, const core::LogBounds& log, core::Time now) const;
  void update_gauges(const Watched& watched, const core::LogBounds& log) const;

  // Once a second: the log first, then each replica, and then what all of them should hold by the
  // next time.
  void measure_growth(core::Offset end, double seconds) { growth_.measure(end, seconds); }
  void measure(Watched& watched, const core::LogBounds& log, core::Time now, double seconds) const;
  void end_tick(core::Offset end);

 private:
  core::InSyncLimits in_sync_limits() const;
  core::Lag lag_of(const HaConnection& connection, const core::LogBounds& log,
                   core::Time now) const;
  void watch_catch_up(Watched& watched, const core::LogBounds& log, core::Time now) const;

  const MasterParts parts_;
  core::LagRing history_;
  core::LogGrowth growth_;
  core::Offset confirmed_last_tick_;  // what every replica in sync must hold by now
};

}  // namespace ha::net
