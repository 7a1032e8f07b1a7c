// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/retention_hold.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ha::net {

// The lowest offset that a replica still lacks, as far as the bound goes. Those of the configured
// set count while they are gone too; of those that were not seen yet nothing is known, so they may
// lack all that is held.
void RetentionHold::update(const core::LogBounds& log, bool serving, double growth) {
  if (!parts_.host.retention().present()) return;
  const Settings& settings = parts_.settings;
  const bool holds = settings.retention_hold_bytes > 0 && serving &&
                     (!parts_.terms.keeps_epochs() || parts_.terms.own_epoch() != 0);
  core::Offset from(HA_RETENTION_NOTHING);
  auto unseen = settings.replicas.without(settings.replica_id);
  for (const auto& replica : parts_.metrics.replicas()) {
    const bool named =
        std::erase_if(unseen, [&](const auto& n) { return n.id == replica->id; }) > 0;
    replica->seconds_until_lost.set(-1);
    if (!holds || (!named && replica->connections.value() == 0)) continue;
    from = std::min(from, wanted_by(*replica, log, growth));
  }
  if (holds && !unseen.empty()) {
    from = std::min(
        from, std::max(log.min, core::Offset(log.end.bytes() - settings.retention_hold_bytes)));
  }
  if (from != std::exchange(held_from_, from)) parts_.host.retention().hold(from);
}

core::Offset RetentionHold::wanted_by(metrics::ReplicaMetrics& replica, const core::LogBounds& log,
                                      double growth) {
  const std::int64_t most = parts_.settings.retention_hold_bytes;
  const core::Offset ack(std::max(replica.ack_offset.value(), log.min.bytes()));
  const std::int64_t left = most - (log.end - ack);
  if (left < 0) {
    replica.seconds_until_lost.set(0);
    if (given_up_.insert(replica.id).second) {
      parts_.host.warn(
          fmt::format("replica {} lacks {} bytes, more than are held for it (option "
                      "'retention_hold_bytes': {}): it may have to copy the log from the start",
                      replica.id, log.end - ack, most));
    }
    return core::Offset(HA_RETENTION_NOTHING);
  }
  given_up_.erase(replica.id);
  if (growth >= 1) {
    replica.seconds_until_lost.set(static_cast<std::int64_t>(static_cast<double>(left) / growth));
  }
  return ack;
}

}  // namespace ha::net
