// SPDX-License-Identifier: Apache-2.0
// The set that this node goes by: as its options say, or what it was changed to while it ran.
//
// A newer set is durable before it takes effect, for what other nodes conclude from this one's
// HELLO. It stands in the settings, where all parts read it.
//
// Threads: the I/O thread; load() before it runs; others() any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/base/outcome.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/state/set_file.h"
#include "metrics/ha_metrics.h"

namespace ha {

class SetKeeper {
 public:
  SetKeeper(const Host& host, Settings& settings, metrics::HaMetrics& metrics);

  // What the set was changed to is newer than the options.
  Outcome load();

  WrittenSet current() const { return {settings_.members(), settings_.replicas}; }
  // REQUIRES: newer than the current one. Returns "", or what failed; then nothing has changed.
  std::string take(const WrittenSet& set);

  // The set to write next when a master of that epoch is asked for it by an option; or in wrong why
  // there is none.
  std::optional<WrittenSet> after(const std::string& option, const std::string& value,
                                  std::int64_t epoch, std::string& wrong) const;

  // The ids of the other nodes.
  std::vector<std::string> others() const { return others_.get(); }

 private:
  void use(const WrittenSet& set);

  const Host& host_;
  Settings& settings_;
  metrics::CoordinatorMetrics& metrics_;
  const SetFile file_;
  metrics::GuardedList<std::string> others_;
};

}  // namespace ha
