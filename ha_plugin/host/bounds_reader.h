// SPDX-License-Identifier: Apache-2.0
// Reads the bounds of the host's log and remembers the last good answer.
//
// Threads: the I/O thread.
#pragma once

#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host.h"
#include "metrics/ha_metrics.h"

namespace ha {

class BoundsReader {
 public:
  BoundsReader(const Host& host, metrics::HaMetrics& metrics) : host_(host), metrics_(metrics) {}

  // What the host answers now; the last good answer when it fails.
  const core::LogBounds& read();
  const core::LogBounds& last() const { return last_; }

 private:
  const Host& host_;
  metrics::HaMetrics& metrics_;
  core::LogBounds last_;
  bool failed_ = false;  // and the log says so
};

}  // namespace ha
