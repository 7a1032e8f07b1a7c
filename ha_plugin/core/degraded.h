// What was acknowledged with fewer copies than the policy asks for: ranges of the log.
//
// Whoever may go on without its slaves (option missing_copies = degrade) gives up the promise for
// what it acknowledges meanwhile, and remembers it: a range is durable before the first wait in it
// ends OK. The range that is open grows while copies are missing; it is healed once enough copies
// have held all of it for a while. So after a loss one can say which bytes had been acknowledged
// by too few, and since when that was so.
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
  Offset from;                 // enough copies held what lies below
  Offset to;                   // nothing from here on was acknowledged below policy
  std::int64_t since_ms = 0;   // Unix time
  std::int64_t healed_ms = 0;  // 0 = it is not

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
  DegradedJournal(std::vector<DegradedRange> ranges, Offset log_end);

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

  const std::vector<DegradedRange>& ranges() const { return ranges_; }

 private:
  std::vector<DegradedRange> ranges_;  // in time; only the last may be open
  Offset answered_;
  Time held_since_ = kNever;
};

}  // namespace ha::core
