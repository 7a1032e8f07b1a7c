// SPDX-License-Identifier: Apache-2.0
// One file of the log, mapped into memory whole for reading and written by pwrite. Its name is the
// log offset of its first byte in 20 decimal digits.
//
// The file has its full size from the start, as RocketMQ's have, but no blocks: a write gets them,
// so a full disk is an error of the write that needed the space. Nothing is written through the
// mapping. There, a full disk would be a SIGBUS, and a page fault may keep its thread for tens of
// milliseconds (the kernel fills its whole read-ahead window with zeros first).
//
// Threads: immutable but for the bytes themselves, whose owner is CommitLog.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "store/error.h"
#include "store/file.h"

namespace stub::store {

class Segment {
 public:
  enum class Access { kReadWrite, kReadOnly };

  // Errors: HA_IO with ENOSPC and the like; nothing is left behind then.
  static Result<std::shared_ptr<Segment>> create(const std::string& directory, std::int64_t base,
                                                 std::int64_t size);
  static Result<std::shared_ptr<Segment>> open(const std::string& directory, std::int64_t base,
                                               Access access);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  static std::string file_name(std::int64_t base);

  std::int64_t base() const { return base_; }
  std::int64_t size() const { return size_; }
  std::int64_t end() const { return base_ + size_; }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

  // REQUIRES: base <= offset <= end.
  const char* at(std::int64_t offset) const { return data_ + (offset - base_); }

  // Writes all of the pieces from offset on; changes them. After an error some of the bytes may be
  // there: clear them.
  std::optional<Error> write(std::int64_t offset, std::span<iovec> pieces) const;
  std::optional<Error> sync() const;

  // From the first byte that is not zero to the last one; log offsets.
  struct Written {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    bool any() const { return begin < end; }
  };
  // What is at or above from. Skips what the file system knows to be empty, so that a new segment
  // costs nothing, and reads the rest by pread: a page fault in a hole would fill the page cache
  // (and on tmpfs take memory) for a zero.
  Written written(std::int64_t from) const;
  // Makes [from, end) zero again and gives the blocks back. Says what stood there.
  Result<Written> clear(std::int64_t from) const;
  std::optional<Error> remove();

 private:
  Segment(std::string path, Descriptor fd, std::int64_t base, std::int64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), base_(base), size_(size) {}
  std::optional<Error> map();

  const std::string path_;
  const Descriptor fd_;
  const std::int64_t base_;
  const std::int64_t size_;
  const char* data_ = nullptr;
};

// What a segment is called until it has its size; open removes what a crash left.
inline constexpr const char* kUnfinishedSuffix = ".tmp";

}  // namespace stub::store
