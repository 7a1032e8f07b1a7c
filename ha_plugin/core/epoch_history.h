// SPDX-License-Identifier: Apache-2.0
// Who wrote which part of a log: each master's term (epoch), who it was, and the offset at which
// the term began.
//
// An entry ends where the next one starts; the last one ends where the log does, which the caller
// knows and no entry remembers. Two logs with the same entry, number, master and start, got the
// bytes of that epoch from the same master, and everything below it too: a slave is cut to its
// master's log before it takes the first byte of an epoch. So one comparison of two short lists
// says up to where two logs are the same.
//
// RocketMQ's entries name no master. What lies below the first entry has no epoch ("epoch 0"): it
// was there before the log's nodes kept a history.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/types.h"

namespace ha::core {

struct EpochEntry {
  std::int64_t epoch = 0;
  Offset start;
  std::string master = {};  // its replica id

  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

class EpochHistory {
 public:
  // False = refused and nothing changed: number and start must both be above the last entry's, and
  // neither may be negative.
  bool append(const EpochEntry& entry);
  // The same for an epoch that may begin where the last one did: that one has no bytes, proves
  // nothing, and goes.
  bool enter(const EpochEntry& entry);

  // The entry that the byte at offset belongs to; none below the first entry's start.
  std::optional<EpochEntry> epoch_at(Offset offset) const;
  std::optional<EpochEntry> find(std::int64_t epoch) const;

  // Drops the entries that start at offset or later.
  void truncate_suffix(Offset offset);
  // Drops the entries that end at offset or earlier; the last one stays, it has no end of its own.
  void truncate_prefix(Offset offset);

  // The entries that begin at end or below: those that a log which ends there has entered.
  EpochHistory entered_by(Offset end) const;

  // The last of them; 0 = none.
  std::int64_t entered_at(Offset end) const;

  const std::vector<EpochEntry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  std::int64_t last_epoch() const { return empty() ? 0 : entries_.back().epoch; }  // 0 = none

  friend bool operator==(const EpochHistory&, const EpochHistory&) = default;

 private:
  std::vector<EpochEntry> entries_;
};

// Where what has no epoch ends in a log with that end.
Offset end_of_epoch_0(const EpochHistory& history, Offset end);

// Up to where two logs with these ends are the same, as far as their histories prove it: the
// smaller end of the newest entry that both have. None without a common entry.
std::optional<Offset> find_consistent_point(const EpochHistory& local, Offset local_end,
                                            const EpochHistory& master, Offset master_end);

}  // namespace ha::core
