// SPDX-License-Identifier: Apache-2.0
// The journal of what was acknowledged below policy, in memory and in `state_dir`/ha_degraded.json
// or the host's store:
//
//   {"format":1,"ranges":[{"from":4096,"to":8192,"since_ms":1700000000000,"healed_ms":0}]}
//
// with "lost_from" in a range of which something was lost, and "told", a range, on a slave whose
// master has one open.
//
// Threads: the I/O thread; load() before it runs. A save blocks for the disk: once when an outage
// begins, once a mebibyte while it lasts, once when it ends.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/degraded.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/state/state_store.h"
#include "metrics/ha_metrics.h"

namespace ha {

class DegradedKeeper {
 public:
  DegradedKeeper(const Host& host, const Settings& settings, metrics::HaMetrics& metrics);

  // "" or what is wrong with the file.
  std::string load(core::Offset log_end);

  bool open() const { return journal_.open() != nullptr; }
  const core::DegradedJournal& journal() const { return journal_; }
  // May waits up to end be answered although enough copies held only what lies below `held`? False
  // = the journal could not be written; that is tried again a second later.
  bool allow(core::Offset held, core::Offset end, core::Time now);
  void answered(core::Offset end) { journal_.answered(end); }
  // Whether enough copies keep up with the log, and up to where they reach.
  void look(core::Offset reached, bool keep_up, core::Time now);
  // Writes what could not be written.
  void retry(core::Time now);

  // What slaves are told; it is another one whenever the serial is.
  std::optional<core::DegradedRange> to_tell() const;
  std::uint64_t serial() const { return serial_; }
  // As a slave: the master has told that.
  void heard(const std::optional<core::DegradedRange>& told);
  // As a slave of a master that has nothing open: enough copies reach up to there.
  void confirmed(core::Offset confirm);
  // The log is about to be cut to new_end. False = what is lost could not be written down.
  bool cut(core::Offset new_end);
  // This node becomes master of a log that ends at end.
  void begin(core::Offset end);

 private:
  std::optional<core::DegradedRange> last_lost() const;
  bool is_as(const core::DegradedJournal& journal) const;
  bool commit(core::DegradedJournal next, core::Time now);
  void adopt(core::DegradedJournal next);
  bool save(const core::DegradedJournal& next);
  void say_healed() const;
  void publish();

  const Host& host_;
  const Settings& settings_;
  metrics::HaMetrics& metrics_;
  const StateStore store_;
  core::DegradedJournal journal_;
  std::uint64_t serial_ = 1;
  // The last save failed, and may have been written all the same: nothing is known of the file.
  bool unsaved_ = false;
  core::Time try_again_{};
};

struct DegradedState {
  std::vector<core::DegradedRange> ranges;
  std::optional<core::DegradedRange> told;
};
std::string format_degraded(const DegradedState& state);
// "" or what is wrong with the text.
std::string parse_degraded(std::string_view text, DegradedState& out);

}  // namespace ha
