// SPDX-License-Identifier: Apache-2.0
// DIR/commit_mark: how far the log goes, for the recovery after a crash.
//
//   begin      the first byte held; segments before it are leftovers of a retention or a reset
//   committed  the end of the log; bytes beyond were written and not committed, or were cut off
//   flushed    bytes below are on stable storage: a fault there is a broken disk, not a torn write
//   flushing   the flush that began last makes the bytes below stable. Once it has ended they are;
//              whether it has shows in their sum (tail.h)
//   confirm    readers see the records below, or kUnbounded: they see all
//   boot       the kernel's boot id while the log was open: the same one at the next open means
//              that only the process died, so the page cache had every byte below committed
//   sums       a running CRC-32 of the log's bytes, at flushed, flushing and committed: after
//              another boot it tells whether all bytes between two of them are there, whatever is
//              in them
//
// Two slots, written in turn, each with a sequence number and a checksum and in a disk block of its
// own: a kill or a loss of power in the middle of one leaves the other. Updates go to mapped memory
// and survive the death of the process at once; sync makes them survive a loss of power.
//
// Threads: any; a mutex of its own, held for a copy of 92 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "store/error.h"
#include "store/file.h"
#include "store/sum.h"

namespace stub::store {

// No readers' bound: every whole record is to be seen.
inline constexpr std::int64_t kUnbounded = -1;

using BootId = std::array<char, 16>;

// This boot's; nullopt when the kernel does not say.
std::optional<BootId> current_boot_id();

// Where the log's bytes end, and their running sum there.
struct SummedEnd {
  std::int64_t offset = 0;
  std::uint32_t sum = 0;
};

struct MarkValues {
  std::int64_t begin = 0;
  std::int64_t committed = 0;
  std::int64_t flushed = 0;
  std::int64_t flushing = 0;  // from flushed to committed
  std::int64_t segment_bytes = 0;
  std::int64_t confirm = kUnbounded;
  std::uint32_t flushed_sum = 0;
  std::uint32_t flushing_sum = 0;
  std::uint32_t committed_sum = 0;
  std::optional<BootId> boot;  // none: not known
  bool summed = true;          // false: of an older version, which kept no sums
  bool digests = true;         // false: written by a version that does not keep digests up to date
};

class CommitMark {
 public:
  CommitMark() = default;
  ~CommitMark();
  CommitMark(const CommitMark&) = delete;
  CommitMark& operator=(const CommitMark&) = delete;

  // The values a store's mark holds; nullopt inside when it has none (a store that RocketMQ wrote).
  static Result<std::optional<MarkValues>> load(const std::string& store_dir);

  // Fine when there is none.
  static std::optional<Error> remove(const std::string& store_dir);

  // Makes these values durable and maps the file. A mark that is whole is written in place: that
  // needs no space, so a store whose disk is full opens.
  std::optional<Error> create(const std::string& store_dir, const MarkValues& values);

  void set_begin(std::int64_t begin);
  void set_committed(SummedEnd committed);
  void set_flushing(SummedEnd flushing);
  // That flush has ended.
  void set_flushed();
  void set_confirm(std::int64_t confirm);
  void set_all(const MarkValues& values);
  // The next open looks at the sums, as after another boot.
  void forget_boot();
  std::optional<Error> sync();

 private:
  std::optional<Error> write_file(const MarkValues& values);
  std::optional<Error> map();
  void write_slot();

  std::mutex mutex_;
  MarkValues values_;
  std::uint64_t sequence_ = 0;
  Descriptor fd_;
  std::string path_;
  char* data_ = nullptr;
};

}  // namespace stub::store
