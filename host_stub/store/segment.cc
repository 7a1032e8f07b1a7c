#include "store/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>

#include "ha/plugin.h"

namespace stub::store {
namespace {

constexpr std::int64_t kPageBytes = 4096;
constexpr std::int64_t kWarmBytes = 64
                                    << 10;  // 0.2 ms even where each page comes from a hypervisor

bool all_zero(const char* bytes, std::int64_t size) {
  return size == 0 ||
         (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, static_cast<std::size_t>(size - 1)) == 0);
}

}  // namespace

std::string Segment::file_name(std::int64_t base) {
  char name[32];
  std::snprintf(name, sizeof name, "%020lld", static_cast<long long>(base));
  return name;
}

Result<std::shared_ptr<Segment>> Segment::create(const std::string& directory, std::int64_t base,
                                                 std::int64_t size, Warm warm) {
  const std::string path = directory + "/" + file_name(base);
  const std::string fresh = path + kUnfinishedSuffix;
  Descriptor fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return system_error(errno, "cannot create the segment '" + fresh + "'");
  int failed;
  do failed = ::posix_fallocate(fd.get(), 0, size);
  while (failed == EINTR);
  if (failed != 0) {
    ::unlink(fresh.c_str());
    return system_error(failed, "cannot allocate the segment '" + path + "' of " +
                                    std::to_string(size) +
                                    " bytes (make room, or shorten the retention)");
  }
  const auto give_up = [&](Error error) {
    ::unlink(fresh.c_str());
    ::unlink(path.c_str());
    return error;
  };
  // The size must be durable before the name is: a short segment is an error to open.
  if (auto error = sync_file(fd.get(), fresh)) return give_up(*error);
  std::shared_ptr<Segment> segment(new Segment(path, std::move(fd), base, size));
  if (auto error = segment->map(Access::kReadWrite)) return give_up(*error);
  if (warm == Warm::kYes) segment->warm();
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
  if (auto error = segment->map(access)) return *error;
  return segment;
}

Segment::~Segment() {
  if (data_ != nullptr) ::munmap(data_, static_cast<std::size_t>(size_));
}

std::optional<Error> Segment::map(Access access) {
  const int protection = access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data =
      ::mmap(nullptr, static_cast<std::size_t>(size_), protection, MAP_SHARED, fd_.get(), 0);
  if (data == MAP_FAILED)
    return system_error(
        errno, "cannot map the segment '" + path_ + "' of " + std::to_string(size_) + " bytes");
  data_ = static_cast<char*>(data);
  return std::nullopt;
}

void Segment::warm() const {
  // In pieces: the call holds a lock of the process's memory that every page fault wants.
  for (std::int64_t at = 0; at < size_; at += kWarmBytes) {
    const auto piece = static_cast<std::size_t>(std::min(kWarmBytes, size_ - at));
    if (::madvise(data_ + at, piece, MADV_POPULATE_WRITE) != 0) return;
    std::this_thread::yield();  // messages first, where CPUs are few
  }
}

std::optional<Error> Segment::sync() const {
  // fdatasync writes the dirty pages of shared mappings too, and the extents that posix_fallocate
  // left unwritten.
  if (::fdatasync(fd_.get()) == 0) return std::nullopt;
  return system_error(errno, "cannot make the segment '" + path_ + "' durable (fdatasync)");
}

std::optional<Error> Segment::allocate() const {
  const int failed = ::posix_fallocate(fd_.get(), 0, size_);
  if (failed == 0) return std::nullopt;
  return system_error(failed, "cannot allocate '" + path_ + "'");
}

std::int64_t Segment::next_written_page(std::int64_t at_byte) const {
  while (at_byte < size_) {
    const off_t data = ::lseek(fd_.get(), at_byte, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return size_;  // nothing but holes to the end
    if (data > at_byte) at_byte = data;  // where SEEK_DATA is not supported, look at everything
    const std::int64_t stop = page_end(at_byte);
    if (!all_zero(data_ + at_byte, stop - at_byte)) return at_byte;
    at_byte = stop;
  }
  return size_;
}

std::int64_t Segment::page_end(std::int64_t at_byte) const {
  return std::min(size_, (at_byte / kPageBytes + 1) * kPageBytes);
}

bool Segment::unwritten() const { return next_written_page(0) == size_; }

void Segment::zero_from(std::int64_t from, bool* changed) {
  for (std::int64_t at = next_written_page(from - base_); at < size_; at = next_written_page(at)) {
    std::memset(data_ + at, 0, static_cast<std::size_t>(page_end(at) - at));
    *changed = true;
  }
}

std::optional<Error> Segment::remove() { return remove_file(path_); }

}  // namespace stub::store
