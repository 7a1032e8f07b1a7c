// SPDX-License-Identifier: Apache-2.0
// A node's disk: the log, how far its readers see it, and the term and the journal of degraded
// answers in files of their own.
//
// The log is made of records that never cross a segment's end: 2 bytes of size, 4 of a number that
// no two records of a run share, and bytes that follow from both.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "ha_plugin/core/degraded.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/core/types.h"

namespace ha::sim {

using core::Offset;

using Bytes = std::vector<std::byte>;

inline constexpr std::int64_t kLeastRecord = 8;

struct SavedRanges {
  std::vector<core::DegradedRange> ranges;
  std::optional<core::DegradedRange> told;
};

Bytes make_record(std::uint32_t number, std::int64_t size);

class Disk {
 public:
  explicit Disk(std::int64_t segment_size) { log_.segment_size = segment_size; }

  const core::LogBounds& log() const { return log_; }
  Offset end() const { return log_.end; }
  std::span<const std::byte> bytes(Offset begin, Offset end) const;
  // Where the last record ends that is whole below that. REQUIRES: min <= below <= end.
  Offset whole_end(Offset below) const;

  // Where the last record ends that is whole below that, from a record's end on.
  Offset whole_end(Offset from, Offset below) const;

  void append(std::span<const std::byte> bytes);
  void sync() { log_.durable = log_.end; }
  // Both are durable when done.
  void cut(Offset end);
  void restart_at(Offset offset);
  void delete_below(Offset min);
  // What was not durable is gone from some point on.
  void lose_power(Offset end);

  // Readers see records below; where a record ends.
  Offset shown() const { return shown_; }
  void show(Offset offset) { shown_ = offset; }

  core::Term saved;
  core::Members members;  // version 0 = none was saved
  SavedRanges degraded;

 private:
  core::LogBounds log_;
  Offset shown_;
  Bytes bytes_;  // from offset 0 on, whether or not it is still held
};

}  // namespace ha::sim
