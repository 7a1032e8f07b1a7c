// What was acknowledged with fewer copies than the policy asks for: ranges of the log.
//
// Whoever may go on without its slaves (option missing_copies = degrade) gives up the promise for
// what it acknowledges meanwhile, and remembers it: a range is durable before the first wait in it
// ends OK. The range that is open grows while copies are missing; it is healed once enough copies
// have held all of it for a while. So after a loss one can say which bytes had been acknowledged
// by too few, and since when that was so.
//
// A slave hears from its master which range is open there, and keeps that. When it becomes master
// itself it can say what was acknowledged by too few and is not in its log: lost, as far as it can
// tell.
//
// The journal only decides; the file is the caller's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "ha_plugin/core/types.h"

namespace ha::core {

struct DegradedRange {
  Offset from;                   // enough copies held what lies below
  Offset to;                     // nothing from here on was acknowledged below policy
  std::int64_t since_ms = 0;     // Unix time
  std::int64_t healed_ms = 0;    // when it was closed; 0 = it is open
  Offset lost_from = kNoOffset;  // what lies from there on up to `to` was lost; kNoOffset = nothing

  bool lost() const { return lost_from != kNoOffset; }

  friend bool operator==(const DegradedRange&, const DegradedRange&) = default;
};

class DegradedJournal {
 public:
  // A save costs a flush of the disk, so the open range is written so far ahead.
  static constexpr std::int64_t kAhead = std::int64_t{1} << 20;
  // The newest that are kept; each is an outage.
  static constexpr std::size_t kMostRanges = 100;

  DegradedJournal() = default;
  // After a restart. What was answered is not known then: at most all of the open range that the
  // log still has.
  DegradedJournal(std::vector<DegradedRange> ranges, Offset log_end,
                  std::optional<DegradedRange> told = std::nullopt);

  // The range that is not healed.
  const DegradedRange* open() const {
    return ranges_.empty() || ranges_.back().healed_ms != 0 ? nullptr : &ranges_.back();
  }
  // May a wait for [0, end) be answered as things are?
  bool covers(Offset end) const { return open() != nullptr && end <= open()->to; }

  // The journal in which it may be; enough copies reach up to `reached`. REQUIRES of the caller:
  // durable before the wait is answered.
  DegradedJournal extended(Offset reached, Offset end, std::int64_t now_ms) const;

  // Waits up to end were answered.
  void answered(Offset end) { answered_ = std::max(answered_, end); }
  // As far as answers went.
  Offset answered() const { return answered_; }

  // Enough copies reach up to there. The journal in which the open range is healed, once that has
  // covered what was answered for `hold`.
  std::optional<DegradedJournal> healed(Offset reached, Time now, Time hold, std::int64_t now_ms);

  // As a slave: its master says what is open there. A range that was open here is not, once the
  // master has none: all of this log is in the master's, and enough copies of that are.
  std::optional<DegradedJournal> heard(std::optional<DegradedRange> told,
                                       std::int64_t now_ms) const;
  // The log is about to end at new_end: what was acknowledged beyond is lost.
  std::optional<DegradedJournal> cut(Offset new_end, std::int64_t now_ms) const;
  // This node becomes master, of a log that ends at `end`: what its master had open is now its own.
  std::optional<DegradedJournal> inherited(Offset end, std::int64_t now_ms) const;

  const std::vector<DegradedRange>& ranges() const { return ranges_; }
  // What the master that this node follows, or followed last, had open.
  const std::optional<DegradedRange>& told() const { return told_; }

 private:
  void add(const DegradedRange& range);
  void close(std::int64_t now_ms, Offset lost_from);

  std::vector<DegradedRange> ranges_;  // in time; only the last may be open
  std::optional<DegradedRange> told_;
  Offset answered_;
  Time held_since_ = kNever;
};

}  // namespace ha::core
