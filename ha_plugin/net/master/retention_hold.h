// SPDX-License-Identifier: Apache-2.0
// Tells the host from where on the log's bytes are still wanted by a replica (extension retention),
// as far as option retention_hold_bytes goes.
//
// Threads: the I/O thread.
#pragma once

#include <set>
#include <string>

#include "ha_plugin/core/types.h"
#include "ha_plugin/net/master/parts.h"

namespace ha::net {

class RetentionHold {
 public:
  explicit RetentionHold(const MasterParts& parts) : parts_(parts) {}

  // serving: this node has a role. growth: of the log, in bytes per second, smoothed.
  void update(const core::LogBounds& log, bool serving, double growth);

 private:
  core::Offset wanted_by(metrics::ReplicaMetrics& replica, const core::LogBounds& log,
                         double growth);

  const MasterParts parts_;
  core::Offset held_from_{HA_RETENTION_NOTHING};  // as the host was told
  std::set<std::string> given_up_;                // replicas that lack more than is held
};

}  // namespace ha::net
