// SPDX-License-Identifier: Apache-2.0
// When was the byte at an offset appended? A bounded memory of (log end, time) on the master, from
// which a replica's lag in seconds follows: the age of the oldest byte that it does not hold.
//
// kEntries pairs; when they are used up every second one is dropped, so old times become coarser
// and recent ones stay exact. Whatever is merged takes the older time: a lag is never understated
// by more than the time between an append and the reading that notices it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "ha_plugin/core/types.h"

namespace ha::core {

class LagRing {
 public:
  // The log's end was `end` at `now`. Ends rise; after a cut, forget() first.
  void record(Offset end, Time now) {
    if (!entries_.empty() && end <= entries_.back().end) return;
    // Readings closer than kGrain share the older one's time.
    if (!entries_.empty() && now - entries_.back().since < kGrain) {
      entries_.back().end = end;
      return;
    }
    if (entries_.size() == kEntries) thin();
    entries_.push_back({end, now});
  }

  // Time when the byte at `ack` (the first that is missing) was appended; kNever when nothing
  // beyond ack was recorded.
  Time appended_at(Offset ack) const {
    const auto at = std::upper_bound(entries_.begin(), entries_.end(), ack,
                                     [](Offset o, const Entry& e) { return o < e.end; });
    return at == entries_.end() ? kNever : at->since;
  }

  void forget() { entries_.clear(); }

 private:
  struct Entry {
    Offset end;
    Time since;  // bytes up to end were appended at or after this
  };
  static constexpr std::size_t kEntries =
      512;  // 8 KiB; minutes of history at kGrain, days when thinned
  static constexpr Time kGrain = std::chrono::milliseconds(10);

  void thin() {
    std::size_t out = 0;
    for (std::size_t i = 0; i + 1 < entries_.size(); i += 2) {
      entries_[out++] = {entries_[i + 1].end, entries_[i].since};
    }
    entries_.resize(out);
  }

  std::vector<Entry> entries_;
};

}  // namespace ha::core
