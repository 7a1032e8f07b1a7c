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

// CRC-32 of the piece's first bytes, of the beginning of its last record, and of its last bytes.
// The last bytes alone may be the same in another log; the record's header has its offset, its time
// and its queue offset. Uses pread: a page fault in the mapping would read the disk's whole
// read-ahead window.
std::optional<std::uint32_t> edges_of(const Segment& segment, std::int64_t begin,
                                      std::int64_t last_record, std::int64_t end) {
  std::uint32_t sum = 0;
  for (const std::int64_t at : {begin, last_record, std::max(begin, end - kEdgeBytes)}) {
    std::string bytes(static_cast<std::size_t>(std::min(kEdgeBytes, end - at)), '\0');
    const ssize_t got = ::pread(segment.fd(), bytes.data(), bytes.size(), at - segment.base());
    if (got != static_cast<ssize_t>(bytes.size())) return std::nullopt;
    sum = add_to_sum(sum, bytes);
  }
  return sum;
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

std::optional<Error> LogDigests::remove_all() {
  begin_at(0);
  return remove_rest();
}

void LogDigests::begin_at(std::int64_t min) {
  const std::lock_guard lock(mutex_);
  pieces_.clear();
  next_ = min;
}

std::optional<Error> LogDigests::remove_rest() {
  std::error_code code;
  std::optional<Error> failed;
  for (const auto& name : list(directory_, code)) {
    const auto piece = std::partition_point(pieces_.begin(), pieces_.end(), [&](const Piece& each) {
      return Segment::file_name(each.begin) < name;
    });
    if (piece != pieces_.end() && Segment::file_name(piece->begin) == name) continue;
    auto error = remove_file(directory_ + "/" + name);
    if (!error) continue;
    // A directory in the place of a digest can never be read as one.
    if (error->os_errno == EISDIR)
      warn(*error);
    else if (!failed)
      failed = std::move(error);
  }
  if (code) {
    auto error = system_error(code.value(), "cannot list '" + directory_ + "'");
    if (code == std::errc::not_a_directory)
      warn(error);
    else if (!failed)
      failed = std::move(error);
  }
  // Even if nothing was removed now: an earlier start may have been killed before it got here.
  auto unsynced = sync_removals();
  return failed ? failed : unsynced;
}

std::optional<Error> LogDigests::sync_removals() const {
  auto error = sync_directory(directory_);
  // Without a directory there are no digests.
  if (error && (error->os_errno == ENOENT || error->os_errno == ENOTDIR)) return std::nullopt;
  return error;
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
  // A digest that ends above the limit or beyond this segment cannot be used.
  const bool good = parse_digest(std::get<std::string>(content), out) && out.begin == offset &&
                    out.end > offset && out.end <= std::min(limit, segment.end()) &&
                    out.segment_bytes == segment_bytes_;
  if (!good) return false;
  const std::int64_t last = out.records.empty() ? out.begin : out.records.back().offset;
  if (edges_of(segment, out.begin, last, out.end) != out.edges) return false;
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
    // Noted before the file exists, so that keep removes it even if writing fails halfway.
    pieces_.push_back({builder.begin(), end});
  }
  if (const auto error = write_file_of(segment, builder, end)) {
    warn(*error);
    static_cast<void>(remove_file(path(builder.begin())));
  }
}

std::optional<Error> LogDigests::write_file_of(const Segment& segment, const DigestBuilder& builder,
                                               std::int64_t end) const {
  errno = 0;
  const auto edges = edges_of(segment, builder.begin(), builder.last(), end);
  if (!edges) return system_error(errno, "cannot read '" + segment.path() + "'");
  if (auto error = make_directory(directory_)) return error;
  return write_file(path(builder.begin()), builder.finish(end, segment_bytes_, *edges));
}

void LogDigests::stop() {
  const std::lock_guard lock(mutex_);
  next_ = kNoLimit;
}

std::optional<Error> LogDigests::keep(std::int64_t begin, std::int64_t end) {
  std::vector<Piece> gone;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(pieces_, [&](const Piece& piece) {
      if (piece.begin >= begin && piece.end <= end) return false;
      gone.push_back(piece);
      return true;
    });
    if (next_ < begin || next_ > end) next_ = pieces_.empty() ? begin : pieces_.back().end;
  }
  if (gone.empty()) return std::nullopt;
  // Without the mutex: a flush takes it, and must not wait for this disk access.
  std::optional<Error> failed;
  for (const Piece& piece : gone) {
    auto error = remove_file(path(piece.begin));
    if (!error) continue;
    if (!failed) failed = std::move(error);
    // The file is still there. Noted again, so that the next call tries once more.
    const std::lock_guard lock(mutex_);
    const auto after = std::ranges::upper_bound(pieces_, piece.begin, {}, &Piece::begin);
    pieces_.insert(after, piece);
  }
  auto unsynced = sync_removals();
  return failed ? failed : unsynced;
}

}  // namespace stub::store
