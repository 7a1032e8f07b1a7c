// SPDX-License-Identifier: Apache-2.0
#include "store/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "ha/plugin.h"

namespace stub::store {
namespace {

constexpr std::int64_t kChunkBytes = 256 << 10;

bool all_zero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Drops what a short write has written.
void advance(std::span<iovec>& pieces, std::size_t written) {
  while (!pieces.empty() && written >= pieces.front().iov_len) {
    written -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (written == 0) return;
  iovec& first = pieces.front();
  first.iov_base = static_cast<char*>(first.iov_base) + written;
  first.iov_len -= written;
}

}  // namespace

std::string Segment::file_name(std::int64_t base) {
  char name[32];
  std::snprintf(name, sizeof name, "%020lld", static_cast<long long>(base));
  return name;
}

Result<std::shared_ptr<Segment>> Segment::create(const std::string& directory, std::int64_t base,
                                                 std::int64_t size) {
  const std::string path = directory + "/" + file_name(base);
  const std::string fresh = path + kUnfinishedSuffix;
  Descriptor fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return system_error(errno, "cannot create the segment '" + fresh + "'");
  const auto give_up = [&](Error error) {
    ::unlink(fresh.c_str());
    ::unlink(path.c_str());
    return error;
  };
  if (::ftruncate(fd.get(), size) != 0)
    return give_up(system_error(
        errno, "cannot give the segment '" + path + "' its " + std::to_string(size) + " bytes"));
  // The size must be durable before the name is: a short segment is an error to open.
  if (auto error = sync_file(fd.get(), fresh)) return give_up(*error);
  std::shared_ptr<Segment> segment(new Segment(path, std::move(fd), base, size));
  if (auto error = segment->map()) return give_up(*error);
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return give_up(system_error(errno, "cannot rename '" + fresh + "'"));
  if (auto error = sync_directory(directory)) return give_up(*error);
  return segment;
}

Result<std::shared_ptr<Segment>> Segment::open(const std::string& directory, std::int64_t base,
                                               Access access) {
  const std::string path = directory + "/" + file_name(base);
  Descriptor fd(
      ::open(path.c_str(), (access == Access::kReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0)
    return system_error(errno, "cannot open the segment '" + path + "'");
  if (info.st_size == 0)
    return make_error(HA_CORRUPT, "the segment '" + path +
                                      "' is empty; a segment has its full size from the start: "
                                      "restore the file, or start from an empty store as a slave");
  std::shared_ptr<Segment> segment(new Segment(path, std::move(fd), base, info.st_size));
  if (auto error = segment->map()) return *error;
  return segment;
}

Segment::~Segment() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), static_cast<std::size_t>(size_));
}

std::optional<Error> Segment::map() {
  void* data =
      ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_SHARED, fd_.get(), 0);
  if (data == MAP_FAILED)
    return system_error(
        errno, "cannot map the segment '" + path_ + "' of " + std::to_string(size_) + " bytes");
  data_ = static_cast<const char*>(data);
  return std::nullopt;
}

std::optional<Error> Segment::write(std::int64_t offset, std::span<iovec> pieces) const {
  while (!pieces.empty()) {
    const auto count = static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX));
    const ssize_t n = ::pwritev(fd_.get(), pieces.data(), count, offset - base_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int failure = n < 0 ? errno : EIO;
      const bool full = failure == ENOSPC || failure == EDQUOT;
      return system_error(failure, "cannot write to the segment '" + path_ + "' at offset " +
                                       std::to_string(offset) +
                                       (full ? " (make room, or shorten the retention)" : ""));
    }
    offset += n;
    advance(pieces, static_cast<std::size_t>(n));
  }
  return std::nullopt;
}

std::optional<Error> Segment::sync() const {
  if (::fdatasync(fd_.get()) == 0) return std::nullopt;
  return system_error(errno, "cannot make the segment '" + path_ + "' durable (fdatasync)");
}

Segment::Written Segment::written(std::int64_t from) const {
  Written out;
  std::vector<char> chunk;
  for (std::int64_t at = from - base_; at < size_;) {
    const off_t data = ::lseek(fd_.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole to the end
    at = std::max<std::int64_t>(at, data);  // where SEEK_DATA is not supported, look at everything
    const off_t hole = ::lseek(fd_.get(), at, SEEK_HOLE);
    const std::int64_t stop = hole > at ? std::min<std::int64_t>(hole, size_) : size_;
    while (at < stop) {
      chunk.resize(static_cast<std::size_t>(std::min(kChunkBytes, stop - at)));
      const ssize_t n = ::pread(fd_.get(), chunk.data(), chunk.size(), at);
      if (n <= 0) {  // What cannot be read is not known to be zero.
        if (!out.any()) out.begin = base_ + at;
        out.end = base_ + stop;
        at = stop;
        break;
      }
      const std::string_view bytes(chunk.data(), static_cast<std::size_t>(n));
      if (!all_zero(bytes)) {
        const auto first = static_cast<std::int64_t>(bytes.find_first_not_of('\0'));
        if (!out.any()) out.begin = base_ + at + first;
        out.end = base_ + at + static_cast<std::int64_t>(bytes.find_last_not_of('\0')) + 1;
      }
      at += n;
    }
  }
  return out;
}

Result<Segment::Written> Segment::clear(std::int64_t from) const {
  const Written found = written(from);
  if (!found.any()) return found;
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from - base_,
                  base_ + size_ - from) == 0)
    return found;
  // Not every file system can. Those bytes have their blocks, so this needs no space.
  std::vector<char> zeros(static_cast<std::size_t>(std::min(kChunkBytes, found.end - found.begin)));
  for (std::int64_t at = found.begin; at < found.end;) {
    const auto size = std::min(static_cast<std::int64_t>(zeros.size()), found.end - at);
    iovec piece{zeros.data(), static_cast<std::size_t>(size)};
    if (auto error = write(at, {&piece, 1})) return std::move(*error);
    at += size;
  }
  return found;
}

std::optional<Error> Segment::remove() { return remove_file(path_); }

}  // namespace stub::store
