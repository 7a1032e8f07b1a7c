// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/epoch_history.h"

#include <algorithm>

namespace ha::core {
namespace {

Offset end_of(const std::vector<EpochEntry>& entries, std::size_t i, Offset log_end) {
  return i + 1 < entries.size() ? entries[i + 1].start : log_end;
}

}  // namespace

bool EpochHistory::append(const EpochEntry& entry) {
  if (entry.epoch < 0 || entry.start < Offset(0)) return false;
  if (!empty() && (entry.epoch <= entries_.back().epoch || entry.start <= entries_.back().start)) {
    return false;
  }
  entries_.push_back(entry);
  return true;
}

bool EpochHistory::enter(const EpochEntry& entry) {
  if (entry.epoch <= last_epoch() || entry.start < Offset(0)) return false;
  if (!empty() && entry.start < entries_.back().start) return false;
  truncate_suffix(entry.start);
  return append(entry);
}

EpochHistory EpochHistory::entered_by(Offset end) const {
  EpochHistory out = *this;
  out.truncate_suffix(end + 1);
  return out;
}

Offset end_of_epoch_0(const EpochHistory& history, Offset end) {
  return history.empty() ? end : history.entries().front().start;
}

std::int64_t EpochHistory::entered_at(Offset end) const {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if (entry->start <= end) return entry->epoch;
  }
  return 0;
}

std::optional<EpochEntry> EpochHistory::epoch_at(Offset offset) const {
  const auto next = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                     [](Offset o, const EpochEntry& e) { return o < e.start; });
  if (next == entries_.begin()) return std::nullopt;
  return *std::prev(next);
}

std::optional<EpochEntry> EpochHistory::find(std::int64_t epoch) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), epoch,
                       [](const EpochEntry& e, std::int64_t wanted) { return e.epoch < wanted; });
  if (at == entries_.end() || at->epoch != epoch) return std::nullopt;
  return *at;
}

void EpochHistory::truncate_suffix(Offset offset) {
  std::erase_if(entries_, [offset](const EpochEntry& e) { return e.start >= offset; });
}

void EpochHistory::truncate_prefix(Offset offset) {
  while (entries_.size() > 1 && entries_[1].start <= offset) entries_.erase(entries_.begin());
}

std::optional<Offset> find_consistent_point(const EpochHistory& local, Offset local_end,
                                            const EpochHistory& master, Offset master_end) {
  const std::vector<EpochEntry>& ours = local.entries();
  const std::vector<EpochEntry>& theirs = master.entries();
  for (std::size_t i = ours.size(); i-- > 0;) {
    const auto same = std::find(theirs.begin(), theirs.end(), ours[i]);
    if (same == theirs.end()) continue;
    const auto j = static_cast<std::size_t>(same - theirs.begin());
    return std::min(end_of(ours, i, local_end), end_of(theirs, j, master_end));
  }
  return std::nullopt;
}

}  // namespace ha::core
