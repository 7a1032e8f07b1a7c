// SPDX-License-Identifier: Apache-2.0
// DIR/log_digests: digests (digest.h) of the stable part of the log, one file for each piece. The
// file is named by the offset at which its piece begins, as a segment is. A piece ends with the
// first whole record at or beyond a multiple of the piece size, or with its segment. So the borders
// depend on the log alone.
//
// Digests only save time: open reads the log where one is missing, cut short or wrong. Writing one
// needs no fsync and no rename, and if it fails there is a warning. But a digest must never
// describe bytes that the log does not hold. Therefore:
//
//   - open uses a digest only if its piece ends at or below the mark's flushed end;
//   - a cut, a trim or a reset of the log calls keep. It removes the digests of what the log no
//     longer holds, durably, before other bytes can be appended there;
//   - open removes, durably, each digest that it did not use. It uses none without a mark of a
//     version that keeps digests up to date;
//   - open compares both ends of the piece and its last record with the log;
//   - a digest that cannot be removed is an error of the open or of the cut.
//
// Threads: keep and next from any; the rest from one thread, the open's and then the keeper's. The
// keeper writes a digest while it holds a lease on the piece. So a cut into the piece comes before
// the writing, which then finds another next(), or after it, and removes the file.
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
  // warn: called once, with the first thing that went wrong.
  LogDigests(const std::string& store_dir, std::int64_t segment_bytes, std::int64_t piece_bytes,
             std::function<void(const std::string&)> warn);

  // False if segments are smaller than a piece: a file for each would cost more than it saves.
  bool enabled() const { return piece_bytes_ <= segment_bytes_; }

  // For the open, which asks for each piece in turn and walks those that have no digest.
  std::optional<Error> remove_all();
  void begin_at(std::int64_t min);
  // The digest of the piece at offset, if it is right and ends at or below limit.
  bool read(const Segment& segment, std::int64_t offset, std::int64_t limit, Digest& out);
  // Removes what was neither read nor written since begin_at.
  std::optional<Error> remove_rest();

  // Where the next piece to be written begins, and what its end has to reach. kNoLimit: there is
  // none.
  std::int64_t next() const;
  std::int64_t piece_end(std::int64_t begin) const;
  // Writes the digest of the piece at next(). If it fails, the piece has none.
  void write(const Segment& segment, const DigestBuilder& builder, std::int64_t end);
  // No more are written until keep changes the log.
  void stop();

  // Call when the log holds only [begin, end) from now on.
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
