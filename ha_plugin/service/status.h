// SPDX-License-Identifier: Apache-2.0
// What a person or a program asks an instance about itself: the ABI's snapshot and the status JSON.
// Both read the metrics, so that they agree with what Prometheus is told.
#pragma once

#include <string>
#include <vector>

#include "ha/plugin.h"
#include "ha_plugin/core/types.h"
#include "metrics/ha_metrics.h"

namespace ha {

struct StatusInput {
  const metrics::HaMetrics& metrics;
  core::Time now;
  bool learner = false;  // follows a master in controller mode
  std::string listen_address = {};
  std::int64_t listen_port = 0;
  std::string metrics_address = {};
  std::int64_t metrics_port = 0;
  std::string master_address = {};
  std::string tls = {};                  // option tls
  std::vector<std::string> others = {};  // of the configured set, this node left out
};

// Fills no more than out.struct_size and, per replica, out.replica_stride bytes.
void fill_snapshot(const StatusInput& input, ha_snapshot& out);

// One JSON object. Member names are those of the ABI; under "ha_runtime_info" stands what
// RocketMQ's GET_BROKER_HA_STATUS answers, in RocketMQ's names.
std::string make_status_json(const StatusInput& input);

}  // namespace ha
