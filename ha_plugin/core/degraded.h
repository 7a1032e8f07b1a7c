// SPDX-License-Identifier: Apache-2.0
// What was acknowledged with fewer copies than the policy asks for: ranges of the log.
//
// Whoever may go on without its slaves (option missing_copies = degrade) gives up the promise for
// what it acknowledges meanwhile, and remembers it: a range is durable before the first wait in it
// ends OK. So after a loss one can say which bytes had been acknowledged by too few, and since when
// that was so.
//
// The range that is open grows while copies are missing. Once enough of them have kept up with the
// log for a while, and hold what had been answered when they were back, waits wait for them again;
// once they hold all that was answered, the range is healed. Two steps, since under load no copy
// ever holds what was answered this moment.
//
// A slave hears from its master which range is open there, and keeps that. When it becomes master
// itself that range is its own, and it can say what was acknowledged by too few and is not in its
// log: lost, as far as it can tell.
//
// The journal only decides; the file is the caller's. What is not in `ranges` and `told` is of this
// process and this mastership: the file does not have it.
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
  // After a restart. What was answered is not known then: nothing for certain, at most all of the
  // open range. Of a log that ends before where it ended when the range was written last, what is
  // missing is lost; a loss of power can take a bit more, and nobody knows.
  DegradedJournal(std::vector<DegradedRange> ranges, Offset log_end,
                  std::optional<DegradedRange> told, std::int64_t now_ms);

  // The range that is not healed.
  const DegradedRange* open() const {
    return ranges_.empty() || ranges_.back().healed_ms != 0 ? nullptr : &ranges_.back();
  }
  // May waits be answered up to end, where enough copies held, at some time, what lies below held?
  bool covers(Offset held, Offset end) const {
    return open() != nullptr && open()->from <= std::max(held, Offset(0)) && end <= open()->to;
  }
  // The journal in which they may be, and those that go on `ahead` beyond. REQUIRES of the caller:
  // durable before the first is answered.
  DegradedJournal extended(Offset held, Offset end, std::int64_t now_ms,
                           std::int64_t ahead = kAhead) const;

  // Waits up to end were answered.
  void answered(Offset end);
  // As far as answers went, for certain: readers may see it.
  Offset answered() const { return answered_; }
  // Waits are answered without waiting.
  bool answering() const { return open() != nullptr && answered_ > Offset(0) && !closing_; }

  // Whether enough copies keep up with the log, and up to where they reach. The journal in which
  // the open range is healed, when it is.
  std::optional<DegradedJournal> healed(Offset reached, bool keep_up, Time now, Time hold,
                                        std::int64_t now_ms);

  // As a slave: its master says what is open there.
  DegradedJournal heard(const std::optional<DegradedRange>& told) const;
  // Its master has nothing open, and enough copies reach up to confirm. The journal in which what
  // was open here is healed, when it is.
  std::optional<DegradedJournal> confirmed(Offset confirm, std::int64_t now_ms) const;
  // The log is about to end at new_end: what was acknowledged beyond is lost.
  DegradedJournal cut(Offset new_end, std::int64_t now_ms) const;
  // This node becomes master, of a log that ends at `end`: what its master had open is now its own.
  DegradedJournal begun(Offset end, std::int64_t now_ms) const;

  const std::vector<DegradedRange>& ranges() const { return ranges_; }
  // What the master that this node follows, or followed last, had open.
  const std::optional<DegradedRange>& told() const { return told_; }

 private:
  void add(const DegradedRange& range);
  void heal(std::int64_t now_ms);
  void lose_beyond(Offset end, Offset to, std::int64_t now_ms);

  std::vector<DegradedRange> ranges_;  // in time; only the last may be open
  std::optional<DegradedRange> told_;
  Offset answered_;
  Offset to_hold_;  // what may have been answered in the open range ends here
  Time keeping_up_since_ = kNever;
  Offset to_hold_then_;  // to_hold_ at that time
  bool closing_ = false;
};

}  // namespace ha::core
