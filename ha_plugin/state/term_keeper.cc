// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/term_keeper.h"

#include <fmt/format.h>

#include <utility>

#include "ha_plugin/core/assert.h"

namespace ha {

TermKeeper::TermKeeper(const Host& host, const Settings& settings, metrics::HaMetrics& metrics)
    : host_(host),
      settings_(settings),
      keeps_epochs_(settings.keeps_epochs()),
      metrics_(metrics),
      file_(StateStore(settings.state_dir, &host)) {}

std::string TermKeeper::load(core::Offset log_min, core::Offset log_end) {
  if (!keeps_epochs_) return "";
  if (std::string wrong = file_.load(saved_); !wrong.empty()) return wrong;
  if (settings_.forget_promise != 0) {
    if (std::string wrong = forget_promise(log_end); !wrong.empty()) return wrong;
  }
  if (std::string wrong = core::check_epochs(saved_); !wrong.empty()) {
    return fmt::format("'{}' is wrong: {}", path(), wrong);
  }
  term_ = saved_;
  trim(log_min, log_end);
  return "";
}

std::string TermKeeper::forget_promise(core::Offset log_end) {
  const std::string what = fmt::format("option 'forget_promise' is {}", settings_.forget_promise);
  core::Term next = saved_;
  if (std::string stands =
          core::forget_promise(next, settings_.forget_promise, settings_.replicas.ids(), log_end);
      !stands.empty()) {
    return fmt::format("{}: {}; take the option away", what, stands);
  }
  // It may stay in a configuration for a while: it does nothing the next time.
  if (next == saved_) {
    host_.info(what + ", which this node has not promised; take the option away");
    return "";
  }
  if (std::string failed = file_.save(next); !failed.empty()) return failed;
  host_.warn(
      fmt::format("{}: the promise of it to '{}' is forgotten; the newest epoch that this "
                  "node knows of is {} now; take the option away",
                  what, saved_.promised_to, next.known()));
  saved_ = std::move(next);
  return "";
}

void TermKeeper::trim(core::Offset log_min, core::Offset log_end) {
  term_.history = term_.history.entered_by(log_end);
  term_.history.truncate_prefix(log_min);
  publish();
}

void TermKeeper::set_own_epoch(std::int64_t epoch) {
  HA_ASSERT(epoch == 0 || epoch == term_.promised);
  const auto entry = term_.history.find(epoch);
  own_epoch_ = epoch;
  own_epoch_start_ = entry ? entry->start : core::Offset(0);
}

std::string TermKeeper::set(core::Term next) {
  if (!keeps_epochs_) return "";
  // A node that takes back a promise could acknowledge for two masters.
  HA_ASSERT(next.promised >= term_.promised);
  if (next != saved_) {
    if (std::string failed = file_.save(next); !failed.empty()) return failed;
    saved_ = next;
  }
  term_ = std::move(next);
  publish();
  return "";
}

std::vector<metrics::Epoch> to_metrics(const core::EpochHistory& history) {
  std::vector<metrics::Epoch> all;
  for (const core::EpochEntry& entry : history.entries()) {
    all.push_back({entry.epoch, entry.start.bytes(), entry.master});
  }
  return all;
}

void TermKeeper::publish() {
  if (!keeps_epochs_) return;
  metrics_.epoch.set(term_.history.last_epoch());
  metrics_.promised_epoch.set(term_.promised);
  metrics_.epochs.set(to_metrics(term_.history));
}

}  // namespace ha
