// SPDX-License-Identifier: Apache-2.0
// What the serving side of a node works with and on, and what it returns for the node to do.
#pragma once

#include <cstdint>
#include <string>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/host/bounds_reader.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/tls_policy.h"
#include "ha_plugin/net/master/limited_log.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/term_keeper.h"
#include "ha_plugin/transfer/transfer_service.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

struct MasterParts {
  const Host& host;
  const Settings& settings;  // may change between two turns
  BoundsReader& bounds;
  TransferService& transfer;
  TermKeeper& terms;
  const DegradedKeeper& degraded;
  metrics::HaMetrics& metrics;
  LimitedLog& log;
  TlsPolicy& tls;
};

// What a connection goes by while it handles one event: as it is at that moment.
struct MasterView {
  core::LogBounds log = {};
  std::int64_t epoch = 0;                  // of which this node is master; 0 = none
  core::Offset epoch_start = {};           // where that begins
  core::Offset confirm = core::kNoOffset;  // up to where this slave's readers may see
  std::int64_t growth = 0;                 // of the log in the last full second, bytes per second
  std::int64_t catch_up = 0;  // if it catches up, bytes per second on top of growth; 0 = no limit
};

// What follows from an event for the node as a whole. The serving side decides it and the node does
// it, so that no class of this room reaches into another through the back.
struct Todo {
  // Readers may see up to there; kNoOffset = as before.
  core::Offset confirm = core::kNoOffset;
  // This node has promised that candidate to follow it: it takes no part in what is older. That
  // must be so before the promise leaves.
  std::string step_back_for = {};
  // A slave has promised another node this master's epoch, or a newer one: this node's time may be
  // over, and it asks all nodes for an epoch at least this high. 0 = no.
  std::int64_t restart_campaign = 0;

  bool any() const {
    return confirm != core::kNoOffset || !step_back_for.empty() || restart_campaign != 0;
  }
};

}  // namespace ha::net
