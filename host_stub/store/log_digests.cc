// SPDX-License-Identifier: Apache-2.0
#include "store/log_digests.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "store/commit_mark.h"

namespace stub::store {
namespace {

constexpr std::int64_t kEdgeBytes = 512;

// The CRC-32 of the first and the last bytes of a piece. By pread: a page fault in the mapping
// would read as much around it as the disk's read-ahead says.
std::optional<std::uint32_t> edges_of(const Segment& segment, std::int64_t begin,
                                      std::int64_t end) {
  const std::int64_t size = std::min(kEdgeBytes, end - begin);
  std::string bytes(static_cast<std::size_t>(2 * size), '\0');
  char* to = bytes.data();
  for (const std::int64_t at : {begin, end - size}) {
    if (::pread(segment.fd(), to, static_cast<std::size_t>(size), at - segment.base()) != size)
      return std::nullopt;
    to += size;
  }
  return add_to_sum(0, bytes);
}

std::vector<std::string> list(const std::string& directory, std::error_code& code) {
  std::vector<std::string> names;
  std::filesystem::directory_iterator at(directory, code);
  for (; !code && at != std::filesystem::directory_iterator(); at.increment(code))
    names.push_back(at->path().filename().string());
  if (code == std::errc::no_such_file_or_directory) code.clear();
  return names;
}

}  // namespace

LogDigests::LogDigests(const std::string& store_dir, std::int64_t segment_bytes,
                       std::int64_t piece_bytes, std::function<void(const std::string&)> warn)
    : directory_(store_dir + "/log_digests"),
      segment_bytes_(segment_bytes),
      piece_bytes_(piece_bytes),
      warn_(std::move(warn)) {}

std::string LogDigests::path(std::int64_t begin) const {
  return directory_ + "/" + Segment::file_name(begin);
}

void LogDigests::warn(const Error& error) {
  if (std::exchange(warned_, true)) return;
  warn_(error.text + "; a start without a digest reads that part of the log, which takes longer");
}

void LogDigests::remove_all() {
  begin_at(0);
  remove_rest();
}

void LogDigests::begin_at(std::int64_t min) {
  const std::lock_guard lock(mutex_);
  pieces_.clear();
  next_ = min;
}

void LogDigests::remove_rest() {
  std::error_code code;
  bool removed = false;
  for (const auto& name : list(directory_, code)) {
    const auto piece = std::partition_point(pieces_.begin(), pieces_.end(), [&](const Piece& each) {
      return Segment::file_name(each.begin) < name;
    });
    if (piece != pieces_.end() && Segment::file_name(piece->begin) == name) continue;
    removed = true;
    if (const auto error = remove_file(directory_ + "/" + name)) warn(*error);
  }
  if (code) warn(system_error(code.value(), "cannot list '" + directory_ + "'"));
  if (!removed) return;
  if (const auto error = sync_directory(directory_)) warn(*error);
}

bool LogDigests::read(const Segment& segment, std::int64_t offset, std::int64_t limit,
                      Digest& out) {
  if (!enabled()) return false;
  const std::string name = path(offset);
  std::error_code unknown;
  const auto size = std::filesystem::file_size(name, unknown);
  if (unknown || size > static_cast<std::uintmax_t>(segment_bytes_)) return false;
  const auto content = read_file(name);
  if (const auto* error = std::get_if<Error>(&content)) {
    warn(*error);
    return false;
  }
  // One that ends above the limit, or in another segment, is no use whatever it says.
  const bool good = parse_digest(std::get<std::string>(content), out) && out.begin == offset &&
                    out.end > offset && out.end <= std::min(limit, segment.end()) &&
                    out.segment_bytes == segment_bytes_ &&
                    edges_of(segment, out.begin, out.end) == out.edges;
  if (!good) return false;
  const std::lock_guard lock(mutex_);
  pieces_.push_back({out.begin, out.end});
  next_ = out.end;
  return true;
}

std::int64_t LogDigests::next() const {
  const std::lock_guard lock(mutex_);
  return enabled() ? next_ : kNoLimit;
}

std::int64_t LogDigests::piece_end(std::int64_t begin) const {
  if (!enabled() || begin == kNoLimit) return kNoLimit;
  const std::int64_t base = begin - begin % segment_bytes_;
  return std::min(begin - begin % piece_bytes_ + piece_bytes_, base + segment_bytes_);
}

void LogDigests::write(const Segment& segment, const DigestBuilder& builder, std::int64_t end) {
  {
    const std::lock_guard lock(mutex_);
    if (next_ != builder.begin()) return;
    next_ = end;
    // Before there is a file, and whether or not there will be a whole one: keep removes it.
    pieces_.push_back({builder.begin(), end});
  }
  if (const auto error = write_file_of(segment, builder, end)) {
    warn(*error);
    static_cast<void>(remove_file(path(builder.begin())));
  }
}

std::optional<Error> LogDigests::write_file_of(const Segment& segment, const DigestBuilder& builder,
                                               std::int64_t end) const {
  const auto edges = edges_of(segment, builder.begin(), end);
  if (!edges) return system_error(errno, "cannot read '" + segment.path() + "'");
  if (auto error = make_directory(directory_)) return error;
  return write_file(path(builder.begin()), builder.finish(end, segment_bytes_, *edges));
}

void LogDigests::stop() {
  const std::lock_guard lock(mutex_);
  next_ = kNoLimit;
}

std::optional<Error> LogDigests::keep(std::int64_t begin, std::int64_t end) {
  std::vector<std::string> gone;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(pieces_, [&](const Piece& piece) {
      if (piece.begin >= begin && piece.end <= end) return false;
      gone.push_back(path(piece.begin));
      return true;
    });
    if (next_ < begin || next_ > end) next_ = pieces_.empty() ? begin : pieces_.back().end;
  }
  // Without the mutex, so that no flush waits for the disk here.
  for (const auto& file : gone)
    if (auto error = remove_file(file)) return error;
  if (gone.empty()) return std::nullopt;
  // Where there is no directory there was no file.
  auto error = sync_directory(directory_);
  if (error && error->os_errno == ENOENT) return std::nullopt;
  return error;
}

}  // namespace stub::store
