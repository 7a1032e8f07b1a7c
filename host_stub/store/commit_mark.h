// DIR/commit_mark: how far the log goes, for the recovery after a crash.
//
//   begin      the first byte held; segments before it are leftovers of a retention or a reset
//   committed  the end of the log; bytes beyond were reserved and never committed, or were cut off
//   flushed    bytes below are on stable storage: a fault there is a broken disk, not a torn write
//   confirm    readers see the records below, or kUnbounded: they see all
//
// Two slots, written in turn, each with a sequence number and a checksum and in a disk block of its
// own: a kill or a loss of power in the middle of one leaves the other. Updates go to mapped memory
// and survive the death of the process at once; sync makes them survive a loss of power.
//
// Threads: any; a mutex of its own, held for a copy of 56 bytes.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "store/error.h"
#include "store/file.h"

namespace stub::store {

// No readers' bound: every whole record is to be seen.
inline constexpr std::int64_t kUnbounded = -1;

struct MarkValues {
  std::int64_t begin = 0;
  std::int64_t committed = 0;
  std::int64_t flushed = 0;
  std::int64_t segment_bytes = 0;
  std::int64_t confirm = kUnbounded;
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

  // Makes the file durable with these values and maps it.
  std::optional<Error> create(const std::string& store_dir, const MarkValues& values);

  void set_begin(std::int64_t begin);
  void set_committed(std::int64_t committed);
  void set_flushed(std::int64_t flushed);
  void set_confirm(std::int64_t confirm);
  void set_all(const MarkValues& values);
  std::optional<Error> sync();

 private:
  void write_slot();

  std::mutex mutex_;
  MarkValues values_;
  std::uint64_t sequence_ = 0;
  Descriptor fd_;
  std::string path_;
  char* data_ = nullptr;
};

}  // namespace stub::store
