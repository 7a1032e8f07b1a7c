// SPDX-License-Identifier: Apache-2.0
// The scheduled messages that the log holds and nobody has delivered yet.
//
// A scheduled message is a record of kScheduleTopic whose properties say where it goes and when.
// Its delivery is an append to the real topic with the property kSourceOffset, the scheduled
// record's offset. Both are in the log, so every node that holds the log knows what is still to be
// delivered: a promoted slave goes on where its log ends, and skips what its log delivered.
//
// Threads: any; a mutex of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "store/log_observer.h"
#include "store/record.h"

namespace stub::store {

inline constexpr std::string_view kScheduleTopic = "ha_stub_schedule";  // hidden from consumers
inline constexpr const char* kRealTopic = "REAL_TOPIC";
inline constexpr const char* kRealQueue = "REAL_QUEUE";
inline constexpr const char* kDeliverAt = "DELIVER_AT";        // ms since 1970
inline constexpr const char* kSourceOffset = "SOURCE_OFFSET";  // of a delivery

struct Due {
  std::int64_t deliver_at_ms = 0;
  std::int64_t offset = 0;  // of the scheduled record
  auto operator<=>(const Due&) const = default;
};

// What the schedule has to know of the record; nullopt = nothing.
std::optional<ScheduleNote> schedule_note(const RecordView& record);

class ScheduleIndex {
 public:
  void add(const RecordView& record);
  void add(const ScheduleNote& note);
  // Of a record that goes: is it a delivery, the message is to be delivered again.
  void remove(const RecordView& record, const RecordLookup& look);
  void truncate(std::int64_t new_end);
  void trim(std::int64_t new_min);
  void reset();
  // Of a record that cannot be delivered.
  void forget(std::int64_t offset);

  std::optional<Due> next() const;
  std::size_t pending() const;
  std::int64_t lowest_offset() const;  // the maximum when nothing is pending

  // Waits until the next message is due, or the set of them changes, or stop_waiting. now_ms is the
  // clock. Spurious returns are fine: the caller looks at next() again.
  void wait_for_due(std::int64_t now_ms, std::uint64_t& seen_changes);
  void stop_waiting();

 private:
  void erase(std::int64_t offset);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;
  std::set<Due> by_time_;
  std::map<std::int64_t, std::int64_t> by_offset_;  // offset -> deliver_at_ms
};

}  // namespace stub::store
