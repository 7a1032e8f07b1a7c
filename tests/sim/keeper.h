// SPDX-License-Identifier: Apache-2.0
// The journal of degraded answers, in memory and on the disk: what ha_plugin/degraded_keeper does.
#pragma once

#include <functional>
#include <optional>

#include "ha_plugin/core/degraded.h"
#include "tests/sim/config.h"
#include "tests/sim/disk.h"

namespace ha::sim {

class Keeper {
 public:
  // False = it failed, and may have been written all the same.
  using Save = std::function<bool(const core::DegradedJournal&)>;
  Keeper(const Config& config, Save save) : config_(config), save_(std::move(save)) {}

  void load(const SavedRanges& saved, Offset log_end);
  const core::DegradedJournal& journal() const { return journal_; }
  bool open() const { return journal_.open() != nullptr; }

  // ---- as master ----
  void begin(Offset end, Time now);
  // May waits up to end be answered although enough copies held only what lies below `held`?
  bool allow(Offset held, Offset end, Time now);
  void answered(Offset end) { journal_.answered(end); }
  void look(Offset reached, bool keep_up, Time now);
  std::optional<core::DegradedRange> to_tell() const;
  std::uint64_t serial() const { return serial_; }  // of what is told

  // ---- as slave ----
  void heard(const std::optional<core::DegradedRange>& told, Time now);
  void confirmed(Offset confirm, Time now);
  // False = that could not be written: the log must not be cut yet.
  bool cut(Offset new_end, Time now);

  // Writes what could not be written.
  void retry(Time now);

 private:
  bool save(const core::DegradedJournal& next, Time now);
  void adopt(core::DegradedJournal next, Time now);

  const Config& config_;
  const Save save_;
  core::DegradedJournal journal_;
  std::uint64_t serial_ = 1;
  bool unsaved_ = false;
  Time try_again_{};
};

}  // namespace ha::sim
