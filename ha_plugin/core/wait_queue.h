// SPDX-License-Identifier: Apache-2.0
// The producers that wait for copies.
//
// What it is for: a wait asks that [0, end) be held by a number of copies before a deadline. Acks
// come in as "n copies now hold everything below x", and every wait of that level at or below x is
// over. Levels never block each other, and within one level waits end in the order of their
// offsets.
//
// The essence: each wait stands in three orders at once: by offset inside its level, by deadline
// over all levels, and by arrival inside its level (for the oldest one's age). All three know the
// wait's place, so it leaves in O(log n) whichever way it ends. Nothing here walks waits one by
// one, which is what makes RocketMQ's group transfer hold a satisfied request behind an unsatisfied
// one.
//
// Deadlines: the caller completes before it expires, so that a wait that is satisfied by the time
// its deadline is looked at is never called a timeout.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "ha_plugin/core/indexed_heap.h"
#include "ha_plugin/core/types.h"

namespace ha::core {

// How many copies a wait is for: 2 and up, or all that are in sync. Durable copies are levels of
// their own; there the master's is one of them, so that 1 is a level too.
using Level = std::int32_t;
inline constexpr Level kAllInSync = 0;
inline constexpr Level kDurableLevels = Level{1} << 20;  // far above any number of copies
constexpr Level durable_level(Level copies) { return copies + kDurableLevels; }
constexpr bool is_durable(Level level) { return level >= kDurableLevels; }
constexpr Level copies_of(Level level) {
  return is_durable(level) ? level - kDurableLevels : level;
}

using WaitFn = void (*)(void* user, std::int32_t status, std::int64_t end);

struct Wait {
  Offset end;
  Level level = 2;
  Time started{};
  Time deadline{};
  WaitFn fn = nullptr;
  void* user = nullptr;
};

// A wait that is over; the caller runs its callback when its own state is consistent.
struct EndedWait {
  Wait wait;
  Status status = Status::kOk;
};

class WaitQueue {
 public:
  WaitQueue() : deadlines_(ByDeadline{this}, DeadlineSlot{this}) {}
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  void add(const Wait& wait);

  // Ends with OK the waits of the level whose end is at or below reached, lowest end first, but no
  // more than `most`. Returns false when more are to end.
  bool complete(Level level, Offset reached, std::vector<EndedWait>& ended,
                std::size_t most = SIZE_MAX);

  // Ends with FLUSH_SLAVE_TIMEOUT the waits whose deadline is at or before now, but no more than
  // `most`.
  void expire(Time now, std::vector<EndedWait>& ended, std::size_t most = SIZE_MAX);

  // Ends all waits, in the order of their arrival.
  void fail_all(Status status, std::vector<EndedWait>& ended);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // kNever when empty.
  Time next_deadline() const;
  // Arrival of the longest waiting, of all or of a level's; kNever without one.
  Time oldest_started() const;
  Time oldest_started(Level level) const;
  // The level's wait that could end first ends there. REQUIRES: somebody waits at that level.
  Offset lowest_end(Level level) const;
  // The levels somebody waits at, ascending; valid until the queue changes.
  const std::vector<Level>& levels() const { return active_levels_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    Wait wait;
    std::uint64_t sequence = 0;  // equal ends leave in the order they came
    std::uint32_t offset_slot = kNone;
    std::uint32_t deadline_slot = kNone;
    std::uint32_t newer = kNone;
    std::uint32_t older = kNone;
  };
  struct ByOffset {
    const WaitQueue* queue;
    bool operator()(std::uint32_t a, std::uint32_t b) const;
  };
  struct ByDeadline {
    const WaitQueue* queue;
    bool operator()(std::uint32_t a, std::uint32_t b) const;
  };
  struct OffsetSlot {
    WaitQueue* queue;
    std::uint32_t& operator()(std::uint32_t i) const { return queue->nodes_[i].offset_slot; }
  };
  struct DeadlineSlot {
    WaitQueue* queue;
    std::uint32_t& operator()(std::uint32_t i) const { return queue->nodes_[i].deadline_slot; }
  };
  using OffsetHeap = IndexedHeap<ByOffset, OffsetSlot>;
  using DeadlineHeap = IndexedHeap<ByDeadline, DeadlineSlot>;

  struct Waiting {
    OffsetHeap by_offset;
    std::uint32_t oldest = kNone;
    std::uint32_t newest = kNone;
  };

  Waiting& waiting_at(Level level);
  void end(std::uint32_t index, Status status, std::vector<EndedWait>& ended);
  void drop_level_if_empty(Level level);

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> free_;
  std::map<Level, Waiting> levels_;  // kept once made: there are few
  std::vector<Level> active_levels_;
  DeadlineHeap deadlines_;
  std::uint64_t next_sequence_ = 0;
  std::size_t size_ = 0;
};

}  // namespace ha::core
