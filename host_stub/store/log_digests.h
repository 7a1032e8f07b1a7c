// SPDX-License-Identifier: Apache-2.0
// DIR/log_digests: the digests (digest.h) of the log's stable part, a file for each piece, named
// like a segment by the offset at which the piece begins. A piece ends with the first whole record
// at or beyond a multiple of the piece size, or with its segment. So the same log has the same
// pieces, wherever it begins and whoever walks it.
//
// They save time and nothing else: what is missing, cut short or wrong is found by reading the log.
// So writing one needs no fsync and no rename, and a failure to is no more than a warning. What
// must not happen is that a digest speaks of other bytes than the log holds, so a failure to remove
// one is an error of the open, or of who cuts. Hence:
//
//   - a digest counts at an open only if its piece ends below the mark's flushed end;
//   - who cuts, trims or resets the log calls keep, which removes durably what the log no longer
//     holds, before anything else can be appended there;
//   - an open removes durably all that it did not use, and without a mark that knows digests it
//     uses none;
//   - the bytes at both ends of the piece and its last record are compared as well.
//
// Threads: keep and next from any. The rest from one thread: the open's, then the keeper's. Whoever
// writes holds a lease on the piece. So a cut into it comes before, and then next is another, or
// when the file is there.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/digest.h"
#include "store/error.h"
#include "store/log_observer.h"
#include "store/segment.h"

namespace stub::store {

class LogDigests {
 public:
  // warn: what went wrong with them, once.
  LogDigests(const std::string& store_dir, std::int64_t segment_bytes, std::int64_t piece_bytes,
             std::function<void(const std::string&)> warn);

  // False: the segments are smaller than a piece, whose file would be no use.
  bool enabled() const { return piece_bytes_ <= segment_bytes_; }

  // The open: it asks for each piece in turn, and walks those that are not there.
  std::optional<Error> remove_all();
  void begin_at(std::int64_t min);
  // The digest of the piece at offset, if it is right and ends at or below limit.
  bool read(const Segment& segment, std::int64_t offset, std::int64_t limit, Digest& out);
  // Removes what was neither read nor written since begin_at.
  std::optional<Error> remove_rest();

  // Where the next piece to be written begins, and the offset that its end reaches; kNoLimit: none.
  std::int64_t next() const;
  std::int64_t piece_end(std::int64_t begin) const;
  // Of the piece at next; a failure is a warning, and the piece goes without.
  void write(const Segment& segment, const DigestBuilder& builder, std::int64_t end);
  // No more are written until keep changes the log.
  void stop();

  // The log holds [begin, end) and no more.
  std::optional<Error> keep(std::int64_t begin, std::int64_t end);

 private:
  struct Piece {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  std::string path(std::int64_t begin) const;
  std::optional<Error> write_file_of(const Segment& segment, const DigestBuilder& builder,
                                     std::int64_t end) const;
  std::optional<Error> sync_removals() const;
  void warn(const Error& error);

  const std::string directory_;
  const std::int64_t segment_bytes_;
  const std::int64_t piece_bytes_;
  const std::function<void(const std::string&)> warn_;
  bool warned_ = false;
  mutable std::mutex mutex_;
  std::vector<Piece> pieces_;  // that may have a file; in log order
  std::int64_t next_ = 0;
};

}  // namespace stub::store
