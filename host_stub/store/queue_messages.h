// SPDX-License-Identifier: Apache-2.0
// The messages of one queue that the log holds, by queue offset.
//
// Each record brings its queue offset, and messages that follow one another mostly have numbers
// that do, too. So a message costs the 8 bytes of its log offset, and runs of numbers say which
// queue offset it has. A record whose number is not above the one before it (a topic that was
// deleted and made again, an old store whose counters started again) goes on with the queue's
// numbers: a cursor never means two messages.
//
// Threads: none; the index's mutex guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace stub::store {

class QueueMessages {
 public:
  // Queue offsets. Without a message that readers may see, first is end.
  std::int64_t first() const { return offsets_.empty() ? end_ : at(0); }
  std::int64_t end() const { return end_; }           // one past the last that readers may see
  std::int64_t next() const { return next_; }         // of the next record
  std::int64_t last_offset() const { return last_; }  // log offset of the last record; -1 = none

  // Takes a record in and returns its queue offset. Readers see it from show on.
  std::int64_t add(std::int64_t offset, std::int64_t recorded);
  void show(std::int64_t offset, std::int64_t queue_offset, std::int64_t recorded);
  // Takes add back, of the last record that was not shown.
  void drop(std::int64_t queue_offset, std::int64_t last_before);
  // The next record has at least this number.
  void raise(std::int64_t next);

  void cut(std::int64_t new_end);  // of those that were shown
  void trim(std::int64_t new_min);

  // Places among those shown: 0 is the first.
  std::size_t size() const { return offsets_.size(); }
  std::size_t place_of(std::int64_t queue_offset) const;  // the first at or above it
  std::size_t place_at(std::int64_t offset) const;        // the same by log offset
  std::int64_t offset(std::size_t place) const { return offsets_[place]; }
  std::int64_t at(std::size_t place) const;  // its queue offset
  // The number at that place is not the one in the record.
  bool renumbered(std::size_t place) const { return run_of(place).shift != 0; }

 private:
  struct Run {
    std::int64_t number = 0;   // queue offset of its first message
    std::int64_t ordinal = 0;  // counts the queue's messages since this object was made
    std::int64_t shift = 0;    // what the numbers are above the recorded ones
  };
  const Run& run_of(std::size_t place) const;

  std::deque<std::int64_t> offsets_;
  std::deque<Run> runs_;      // not empty while offsets_ is not
  std::int64_t dropped_ = 0;  // ordinal of offsets_.front()
  std::int64_t end_ = 0;
  std::int64_t next_ = 0;
  std::int64_t last_ = -1;
};

}  // namespace stub::store
