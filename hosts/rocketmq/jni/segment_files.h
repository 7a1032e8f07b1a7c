// SPDX-License-Identifier: Apache-2.0
// The commit log's files, opened by name. RocketMQ maps them too, and unmaps a file that it deletes
// even under a reader. So the plugin reads and writes through mappings and descriptors of its own.
// Both see the same page cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace ha::rocketmq {

// One file; unmapped and closed with the last reference, deleted meanwhile or not.
class SegmentFile {
 public:
  // Throws std::system_error.
  SegmentFile(const std::string& path, std::int64_t begin, std::int64_t size);
  ~SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  const std::string& path() const { return path_; }
  std::int64_t end() const { return begin_ + size_; }
  const std::byte* at(std::int64_t offset) const { return data_ + (offset - begin_); }
  // 0, or an errno.
  int write(std::int64_t offset, const std::byte* data, std::size_t size) const;
  int sync() const;
  // Writes what is there once more. After a failed sync the kernel counts the pages as clean, and
  // the next sync would succeed without writing them.
  int write_again(std::int64_t offset, std::size_t size) const;
  // Zeros from that offset to the end of the file, durable.
  int wipe(std::int64_t from) const;
  // fsync of the directory: makes created and deleted files durable.
  int sync_folder() const;

 private:
  std::string path_;
  int fd_;
  std::int64_t begin_;
  std::int64_t size_;
  const std::byte* data_ = nullptr;
};

// Thread-safe.
class SegmentFiles {
 public:
  using Segment = std::shared_ptr<const SegmentFile>;
  // The file that holds that offset; null when it is gone or cannot be opened.
  using PathOf = std::function<std::string(std::int64_t offset)>;

  SegmentFiles(PathOf path_of, std::int64_t segment_size)
      : path_of_(std::move(path_of)), segment_size_(segment_size) {}

  Segment find(std::int64_t offset);
  // Has a caller kept a file with bytes at or above that offset?
  bool lent_from(std::int64_t offset);
  // A name at or above that offset may stand for another file from now on.
  void forget_from(std::int64_t offset);
  // Files below are deleted, or soon will be.
  void forget_below(std::int64_t offset);

 private:
  const PathOf path_of_;
  const std::int64_t segment_size_;
  std::mutex mutex_;
  std::map<std::int64_t, Segment> open_;  // by begin
};

}  // namespace ha::rocketmq
