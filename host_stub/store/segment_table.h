// SPDX-License-Identifier: Apache-2.0
// The segments of the log and who is looking at them.
//
// A lease keeps one run of bytes inside one segment mapped and unchanged. There are two kinds: a
// lent one leaves the store (pin, segment-fd), may last long, is bounded in number and makes a cut
// answer AGAIN; a copying one lasts for a memcpy or a decode inside the store, and a cut waits for
// it.
//
// Threads: any. One mutex, held for a look-up; it is the innermost lock of the store.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "store/bounds.h"
#include "store/segment.h"

namespace stub::store {

// The plugin holds at most one lease per connection and allows 4096 connections; a host that lends
// more has a leak, and AGAIN makes the plugin read by copying instead.
inline constexpr std::size_t kMaxLent = 8192;

struct Lease {
  std::shared_ptr<Segment> segment;
  std::int64_t offset = 0;
  std::int64_t size = 0;
  std::uint64_t token = 0;  // never 0

  const char* data() const { return segment->at(offset); }
};

class SegmentTable {
 public:
  enum class Kind { kLent, kCopying };

  SegmentTable(std::int64_t segment_bytes, const PublishedBounds& bounds,
               std::size_t max_lent = kMaxLent)
      : segment_bytes_(segment_bytes), bounds_(bounds), max_lent_(max_lent) {}

  // Leases up to size bytes from offset, inside its segment and below end. HA_RANGE when offset is
  // not in [min, end); HA_AGAIN when too many are lent.
  std::int32_t lease(Kind kind, std::int64_t offset, std::int64_t size, Lease& out);
  // False when no such lease is out: a caller's error.
  bool release(std::uint64_t token);

  // Runs publish, which lowers the bounds, at a moment when nobody leases a byte at or above
  // new_end: HA_AGAIN when one is lent there. No lease above the new bounds can be had afterwards.
  std::int32_t cut(std::int64_t new_end, const std::function<void()>& publish);

  std::shared_ptr<Segment> find(std::int64_t offset) const;  // null when none holds it
  std::vector<std::shared_ptr<Segment>> overlapping(std::int64_t begin, std::int64_t end) const;
  std::int64_t next_base(std::int64_t if_empty) const;
  std::size_t count() const;
  void push(std::shared_ptr<Segment> segment);
  // Takes the oldest segment out, unless it is lent from or the only one: null then. publish runs
  // under the lock with the new minimum.
  std::shared_ptr<Segment> pop_oldest(const std::function<void(std::int64_t)>& publish);
  // Takes out the segments whose base is at or above from.
  std::vector<std::shared_ptr<Segment>> pop_from(std::int64_t from);

 private:
  struct Slot {
    Lease lease;
    Kind kind = Kind::kLent;
    bool used = false;
    std::uint32_t generation = 0;  // a token that was given back twice does not free a stranger's
  };
  std::shared_ptr<Segment> find_locked(std::int64_t offset) const;
  bool leased_above(Kind kind, std::int64_t offset) const;

  const std::int64_t segment_bytes_;
  const PublishedBounds& bounds_;
  const std::size_t max_lent_;
  mutable std::mutex mutex_;
  std::condition_variable copied_;
  std::deque<std::shared_ptr<Segment>> segments_;  // neighbours, oldest first
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t lent_ = 0;
};

}  // namespace stub::store
