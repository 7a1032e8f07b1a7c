// The journal of what was acknowledged below policy, in memory and in `state_dir`/ha_degraded.json:
//
//   {"format":1,"ranges":[{"from":4096,"to":8192,"since_ms":1700000000000,"healed_ms":0}]}
//
// Threads: the I/O thread; load() before it runs. A save blocks for the disk: once when an outage
// begins, once a mebibyte while it lasts, once when it ends.
#pragma once

#include <string>
#include <string_view>

#include "ha_plugin/core/degraded.h"
#include "ha_plugin/host.h"
#include "ha_plugin/settings.h"
#include "metrics/ha_metrics.h"

namespace ha {

class DegradedKeeper {
 public:
  DegradedKeeper(const Host& host, const Settings& settings, metrics::HaMetrics& metrics);

  // "" or what is wrong with the file.
  std::string load(core::Offset log_end);

  bool open() const { return journal_.open() != nullptr; }
  const core::DegradedJournal& journal() const { return journal_; }
  // May waits up to end be answered although enough copies reach only up to `reached`? False = the
  // journal could not be written; that is tried again a second later.
  bool allow(core::Offset reached, core::Offset end, core::Time now);
  void answered(core::Offset end) { journal_.answered(end); }
  // Enough copies reach up to there.
  void held(core::Offset reached, core::Time now);

 private:
  bool save(core::DegradedJournal next);
  void publish();

  const Host& host_;
  const Settings& settings_;
  metrics::HaMetrics& metrics_;
  const std::string path_;
  core::DegradedJournal journal_;
  bool failed_ = false;  // said already
  core::Time try_again_{};
};

std::string format_degraded(const std::vector<core::DegradedRange>& ranges);
// "" or what is wrong with the text.
std::string parse_degraded(std::string_view text, std::vector<core::DegradedRange>& out);

}  // namespace ha
