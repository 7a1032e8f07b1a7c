// SPDX-License-Identifier: Apache-2.0
// What open does: finds the last whole record after whatever ended the last run, and makes sure
// that nothing beyond it can come back.
//
// With DIR/commit_mark: bytes beyond its committed end never count (a write that was not finished,
// a cut that was under way). Below its flushed end the log is on stable storage, so headers are
// enough there, and a fault is a damaged disk: open refuses rather than drop data that was
// acknowledged. From there on tail.h says whether a loss of power tore anything. If not, a fault is
// damage, too. If so, the log is cut at the first record that shows it; when none does, at the
// flushed end, for what is torn lies somewhere above it.
//
// Whatever is taken off the log and may have been acknowledged is told to options.warning: how many
// bytes, and where.
//
// Without it (a store that RocketMQ wrote): everything is scanned and the first fault is the end,
// unless whole segments with records lie beyond, which no torn tail explains.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "store/commit_log.h"

namespace stub::store {

class Recovery {
 public:
  explicit Recovery(CommitLog& log) : log_(log) {}
  std::optional<Error> run();

 private:
  std::optional<Error> open_segments();
  std::optional<Error> remove_leftovers(std::vector<std::int64_t>& bases);
  std::optional<Error> remove_unfinished(const std::vector<std::string>& paths) const;
  Error wrong_size(const Segment& segment, bool first) const;
  std::optional<Error> find_end(std::int64_t& end);
  // Tells the observer of all whole records below limit, from digests where there are any.
  CommitLog::Walked tell_records(std::int64_t limit, BodyCheck check, bool believe_digests);
  std::optional<Error> find_end_in_tail(std::int64_t from, std::int64_t& end);
  std::optional<Error> clear_beyond(std::int64_t end);
  // Where the readers' bound is then; the log's end when they have none.
  std::int64_t confirm(std::int64_t end) const;
  Error damage(const CommitLog::Walked& walked) const;
  void warn_of_cut(std::int64_t end, const std::string& why) const;
  std::optional<Error> clear_segments_beyond(std::int64_t end, Segment::Written& cleared);
  std::optional<Error> refuse_lost_segments(const CommitLog::Walked& walked) const;

  CommitLog& log_;
  std::optional<MarkValues> mark_;
  std::int64_t synced_ = 0;  // the mark's flushed, as it was on the disk
  std::int64_t begin_ = 0;
  std::int64_t files_end_ = 0;
  bool power_lost_ = true;  // or not known: this may be another boot
};

// The size of the segments that a store has; 0 when it has none.
Result<std::int64_t> held_segment_bytes(const std::string& store_dir);

// The bases of the segments in a directory, ascending; apart from files that are unfinished:
// ".tmp", and the last one when it is empty.
Result<std::vector<std::int64_t>> list_segments(const std::string& directory,
                                                std::vector<std::string>* unfinished);

}  // namespace stub::store
