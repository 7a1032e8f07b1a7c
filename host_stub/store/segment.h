// One file of the log, mapped into memory whole. Its name is the log offset of its first byte in 20
// decimal digits. The blocks are allocated before the file gets that name and before it is mapped:
// a full disk is an error of create, never a SIGBUS in a memcpy.
//
// Threads: immutable but for the bytes themselves, whose owner is CommitLog.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "store/error.h"
#include "store/file.h"

namespace stub::store {

class Segment {
 public:
  enum class Access { kReadWrite, kReadOnly };

  enum class Warm { kNo, kYes };

  // kYes: every page gets its memory now instead of at its first write. Best effort: a kernel that
  // cannot (before 5.14) or has no memory for it leaves things as they are.
  // Errors: HA_IO with ENOSPC and the like; nothing is left behind then.
  static Result<std::shared_ptr<Segment>> create(const std::string& directory, std::int64_t base,
                                                 std::int64_t size, Warm warm);
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
  char* at(std::int64_t offset) { return data_ + (offset - base_); }
  const char* at(std::int64_t offset) const { return data_ + (offset - base_); }

  std::optional<Error> sync() const;
  // Gives holes their blocks: a write into a hole of a full disk would be a SIGBUS.
  std::optional<Error> allocate() const;
  // True when it holds nothing but zeros, which is how a segment begins.
  bool unwritten() const;
  // Makes [from, end) zero again. Skips what the file system knows to be empty, so that a new
  // segment of 1 GiB costs nothing. True in *changed when something else than zero stood there.
  void zero_from(std::int64_t from, bool* changed);
  std::optional<Error> remove();

 private:
  Segment(std::string path, Descriptor fd, std::int64_t base, std::int64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), base_(base), size_(size) {}
  std::optional<Error> map(Access access);
  void warm() const;
  // Of the file; size() when there is none.
  std::int64_t next_written_page(std::int64_t at_byte) const;
  std::int64_t page_end(std::int64_t at_byte) const;

  const std::string path_;
  const Descriptor fd_;
  const std::int64_t base_;
  const std::int64_t size_;
  char* data_ = nullptr;
};

// What a segment is called until its blocks are allocated; open removes what a crash left.
inline constexpr const char* kUnfinishedSuffix = ".tmp";

}  // namespace stub::store
