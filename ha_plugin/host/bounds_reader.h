// SPDX-License-Identifier: Apache-2.0
// Reads the bounds of the host's log and remembers the last good answer.
//
// Threads: the I/O thread.
#pragma once

#include <optional>
#include <utility>

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
  // Whether the log has ended lower at some reading than at the one before, since this was asked
  // last: the end before. A log that is cut for a role change does; a master's must not.
  std::optional<core::Offset> take_shrunk_from() { return std::exchange(shrunk_from_, {}); }

 private:
  const Host& host_;
  metrics::HaMetrics& metrics_;
  core::LogBounds last_;
  std::optional<core::Offset> shrunk_from_;
  bool failed_ = false;  // and the log says so
};

}  // namespace ha
