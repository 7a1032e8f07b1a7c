// SPDX-License-Identifier: Apache-2.0
// Who learns what the log holds: the index. CommitLog tells it every change, in log order.
//
// Threads: all calls come under the log's append lock, one at a time, except those of which it is
// said; none may call the log back.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>

#include "store/digest.h"
#include "store/error.h"
#include "store/record.h"

namespace stub::store {

// Looks a record up that is still in the log; false when there is none at that offset.
using RecordLookup = std::function<bool(std::int64_t offset, RecordView& out)>;

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

class LogObserver {
 public:
  virtual ~LogObserver() = default;

  // The log is being opened and begins at min; its records follow.
  virtual void on_begin(std::int64_t /*min*/) {}
  // A whole record is part of the log. Its body may be left out of the view.
  virtual void on_record(const RecordView& record) = 0;
  // Instead of on_record for each of these records, while the log is being opened.
  virtual void on_digest(const Digest& digest) = 0;
  // Readers may be given the records that end at or below limit; kNoLimit, as at the start: all. A
  // lower limit than before hides nothing that they were given: what lay above has been cut.
  virtual void on_confirm(std::int64_t limit) = 0;
  // Records at or above new_end go; look still finds them.
  virtual void on_truncate(std::int64_t new_end, const RecordLookup& look) = 0;
  // Records below new_min have gone.
  virtual void on_trim(std::int64_t new_min) = 0;
  // The log is empty and goes on at new_min.
  virtual void on_reset(std::int64_t new_min) = 0;

  // Records below new_min may go as soon as this returns; what must outlive them is on stable
  // storage then. An error keeps them, unless the disk is full. new_min may be where the log begins
  // already. This one and after_trim come without the append lock, so that neither a disk nor a
  // long walk delays appends.
  virtual std::optional<Error> before_trim(std::int64_t /*new_min*/) { return std::nullopt; }
  virtual void after_trim() {}

  // QUEUEOFFSET of the next message of that queue.
  virtual std::int64_t next_queue_offset(std::string_view topic, std::int32_t queue) = 0;
  // Retention keeps what stands at or above; the maximum when nothing is held back.
  virtual std::int64_t retain_from() const { return std::numeric_limits<std::int64_t>::max(); }
};

}  // namespace stub::store
