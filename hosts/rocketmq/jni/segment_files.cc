// SPDX-License-Identifier: Apache-2.0
#include "hosts/rocketmq/jni/segment_files.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace ha::rocketmq {

SegmentFile::SegmentFile(const std::string& path, std::int64_t begin, std::int64_t size)
    : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)), begin_(begin), size_(size) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot open " + path);
  // A file that is shorter than its log's segments would end this process at a read.
  void* data = MAP_FAILED;
  if (::lseek(fd_, 0, SEEK_END) >= size) {
    data = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, fd_, 0);
  } else {
    errno = EINVAL;
  }
  if (data == MAP_FAILED) {
    const int error = errno;
    ::close(fd_);
    throw std::system_error(error, std::generic_category(), "cannot map " + path);
  }
  data_ = static_cast<const std::byte*>(data);
}

SegmentFile::~SegmentFile() {
  ::munmap(const_cast<std::byte*>(data_), static_cast<std::size_t>(size_));
  ::close(fd_);
}

int SegmentFile::write(std::int64_t offset, const std::byte* data, std::size_t size) const {
  auto at = static_cast<off_t>(offset - begin_);
  while (size > 0) {
    const ssize_t done = ::pwrite(fd_, data, size, at);
    if (done < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data += done;
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return 0;
}

int SegmentFile::sync() const { return ::fdatasync(fd_) == 0 ? 0 : errno; }

int SegmentFile::write_again(std::int64_t offset, std::size_t size) const {
  // Not through the mapping: a page that cannot be read would be a SIGBUS.
  std::vector<std::byte> copy(size);
  for (std::size_t got = 0; got < size;) {
    const ssize_t n = ::pread(fd_, copy.data() + got, size - got,
                              static_cast<off_t>(offset - begin_) + static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    got += static_cast<std::size_t>(n);
  }
  return write(offset, copy.data(), size);
}

int SegmentFile::wipe(std::int64_t from) const {
  const auto at = static_cast<off_t>(from - begin_);
  const auto size = static_cast<off_t>(end() - from);
  if (size > 0 && ::fallocate(fd_, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, size) != 0) {
    // Not on this file system: what a hole reads as does as well, and else zeros are written.
    if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size) != 0) {
      const std::vector<std::byte> zeros(1 << 20);
      for (std::int64_t done = from; done < end();) {
        const auto piece = std::min<std::int64_t>(end() - done, 1 << 20);
        if (const int error = write(done, zeros.data(), static_cast<std::size_t>(piece))) {
          return error;
        }
        done += piece;
      }
    }
  }
  return sync();
}

int SegmentFile::sync_folder() const {
  const std::string folder = path_.substr(0, path_.find_last_of('/') + 1);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int wrong = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return wrong;
}

SegmentFiles::Segment SegmentFiles::find(std::int64_t offset) {
  const std::int64_t begin = offset - offset % segment_size_;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = open_.find(begin); it != open_.end()) return it->second;
  }
  const std::string path = path_of_(offset);
  if (path.empty()) return nullptr;
  auto made = std::make_shared<const SegmentFile>(path, begin, segment_size_);
  const std::lock_guard lock(mutex_);
  return open_.emplace(begin, std::move(made)).first->second;
}

bool SegmentFiles::lent_from(std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(open_, [&](const auto& one) {
    return one.second->end() > offset && one.second.use_count() > 1;
  });
}

void SegmentFiles::forget_from(std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [&](const auto& one) { return one.second->end() > offset; });
}

void SegmentFiles::forget_below(std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [&](const auto& one) { return one.second->end() <= offset; });
}

}  // namespace ha::rocketmq
