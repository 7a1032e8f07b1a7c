// SPDX-License-Identifier: Apache-2.0
// What this node knows of epochs, in memory and on disk.
//
// Nodes of a configured set (option replicas) keep epochs; for others everything here is empty and
// stays so. Nothing is believed before it is durable: set() saves first, and a save that failed
// leaves the term as it was.
//
// Threads: the I/O thread; load() before it runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/state/term_file.h"
#include "metrics/ha_metrics.h"

namespace ha {

class TermKeeper {
 public:
  TermKeeper(const Host& host, const Settings& settings, metrics::HaMetrics& metrics);

  bool keeps_epochs() const { return keeps_epochs_; }
  // For messages: where it is kept.
  std::string path() const { return file_.path(); }

  // "" or what is wrong with the file. Entries beyond the log's end are left out: their bytes were
  // lost, or never came.
  std::string load(core::Offset log_min, core::Offset log_end);
  const core::Term& current() const { return term_; }
  // "" or what failed.
  std::string set(core::Term next);

  // The log lies there: what the history says of bytes that are not there is forgotten. A frame
  // that did not come whole leaves such an entry.
  void trim(core::Offset log_min, core::Offset log_end);

  // The epoch of which this node is master; 0 = it is none, or keeps no epochs.
  std::int64_t own_epoch() const { return own_epoch_; }
  // Where it begins; 0 without one.
  core::Offset own_epoch_start() const { return own_epoch_start_; }
  void set_own_epoch(std::int64_t epoch);

  // The position of a log of this node that ends there.
  core::Position position(core::Offset end) const { return {term_.history.entered_at(end), end}; }

 private:
  void publish();
  std::string forget_promise(core::Offset log_end);

  const Host& host_;
  const Settings& settings_;
  const bool keeps_epochs_;
  metrics::HaMetrics& metrics_;
  const TermFile file_;
  core::Term term_;
  core::Term saved_;  // what the file holds
  std::int64_t own_epoch_ = 0;
  core::Offset own_epoch_start_;
};

// For the list in the metrics.
std::vector<metrics::Epoch> to_metrics(const core::EpochHistory& history);

}  // namespace ha
