// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/replica_watch.h"

#include <fmt/format.h>

#include <chrono>

#include "ha_plugin/base/clock.h"
#include "metrics/names.h"

namespace ha::net {

using core::Reason;
using core::Time;

core::Lag ReplicaWatch::lag_of(const HaConnection& connection, const core::LogBounds& log,
                               Time now) const {
  const core::Offset ack = connection.session().ack();
  const Time since = ack >= log.end ? core::kNever : history_.appended_at(ack);
  return {log.end - ack, since == core::kNever ? Time{0} : now - since,
          ack >= confirmed_last_tick_};
}

core::InSyncLimits ReplicaWatch::in_sync_limits() const {
  using std::chrono::milliseconds;
  const Settings& settings = parts_.settings;
  return {settings.max_gap_not_in_sync_bytes,
          settings.in_sync_max_lag_ms == 0 ? core::kNever
                                           : Time(milliseconds(settings.in_sync_max_lag_ms)),
          milliseconds(settings.in_sync_hold_ms)};
}

void ReplicaWatch::begin(Watched& watched, metrics::ReplicaMetrics& replica, Time now) const {
  watched.bytes_at_tick = replica.bytes_sent.value();
  watched.member.judge(lag_of(*watched.connection, parts_.bounds.last(), now), in_sync_limits(),
                       now);
  replica.in_sync_changed_ns.set(now.count());
}

bool ReplicaWatch::judge(Watched& watched, const core::LogBounds& log, Time now) const {
  const core::Lag lag = lag_of(*watched.connection, log, now);
  if (!watched.member.judge(lag, in_sync_limits(), now)) return false;
  const bool in = watched.member.in();
  metrics::ReplicaMetrics& replica = *watched.connection->metrics();
  parts_.transfer.set_in_sync(watched.connection->id(), watched.replica_id, in);
  replica.in_sync_changed_ns.set(now.count());
  if (in) {
    parts_.host.info(fmt::format("replica {} is in sync", watched.replica_id));
    return true;
  }
  const Reason reason = watched.member.left_for();
  replica.in_sync_left_for.set(static_cast<std::int64_t>(reason));
  replica.in_sync_exits[static_cast<std::size_t>(reason)].add();
  parts_.host.warn(fmt::format(
      "replica {} is no longer in sync ({}): it lacks {} bytes, the oldest of them for {} ms",
      watched.replica_id, metrics::reason_name(static_cast<std::int32_t>(reason)), lag.bytes,
      std::chrono::duration_cast<std::chrono::milliseconds>(lag.time).count()));
  return true;
}

void ReplicaWatch::update_gauges(const Watched& watched, const core::LogBounds& log) const {
  metrics::ReplicaMetrics& replica = *watched.connection->metrics();
  const core::Offset ack = watched.connection->session().ack();
  replica.in_sync.set(parts_.transfer.is_in_sync(watched.connection->id(), log.end) ? 1 : 0);
  const Time since = ack >= log.end ? core::kNever : history_.appended_at(ack);
  replica.behind_since_ns.set(since == core::kNever ? 0 : since.count());
}

void ReplicaWatch::measure(Watched& watched, const core::LogBounds& log, Time now,
                           double seconds) const {
  metrics::ReplicaMetrics& replica = *watched.connection->metrics();
  const std::uint64_t bytes = replica.bytes_sent.value();
  replica.bytes_per_s.set(
      static_cast<std::int64_t>(static_cast<double>(bytes - watched.bytes_at_tick) / seconds));
  watched.bytes_at_tick = bytes;
  watch_catch_up(watched, log, now);
}

std::int64_t ReplicaWatch::catch_up_rate(bool in_sync) const {
  // Asked in any case: it has to know that a replica catches up.
  const std::int64_t adapted = parts_.transfer.catch_up_rate(steady_now());
  const std::int64_t given = parts_.settings.catch_up_bytes_per_s;
  if (given != Settings::kAdapt) return given;
  return in_sync ? 0 : adapted;
}

void ReplicaWatch::watch_catch_up(Watched& watched, const core::LogBounds& log, Time now) const {
  const Settings& settings = parts_.settings;
  metrics::ReplicaMetrics& replica = *watched.connection->metrics();
  const std::int64_t lag = log.end - watched.connection->session().ack();
  const auto patience = std::chrono::milliseconds(settings.catch_up_stall_ms);
  if (!watched.catch_up.look(lag, now, patience)) return;
  const bool stalled = watched.catch_up.stalled();
  replica.catch_up_stalled.set(stalled ? 1 : 0);
  if (!stalled)
    return parts_.host.info(fmt::format("replica {} catches up again", watched.replica_id));
  parts_.host.warn(
      fmt::format("replica {} does not catch up: it lacks {} bytes, and has come no nearer for {} "
                  "ms; it is sent {} bytes/s and the log grows by {} (options "
                  "'catch_up_bytes_per_s', 'max_transfer_bytes_per_s')",
                  watched.replica_id, lag, settings.catch_up_stall_ms, replica.bytes_per_s.value(),
                  growth_.last()));
}

void ReplicaWatch::end_tick(core::Offset end) {
  const core::Offset confirmed = parts_.transfer.confirmed();
  confirmed_last_tick_ = confirmed == core::kNoOffset ? end : confirmed;
}

}  // namespace ha::net
