// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/cut_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/state/durable_file.h"

namespace ha::net {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;
constexpr std::string_view kPrefix = "ha_cut-";  // of the names that the caller gives

// "" or what failed.
std::string write_all(int fd, const char* from, std::int64_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t n = ::write(fd, from, static_cast<std::size_t>(size));
    if (n < 0 && errno != EINTR) return cannot("write", path);
    if (n > 0) {
      from += n;
      size -= n;
    }
  }
  return "";
}

}  // namespace

CutCopy::State CutCopy::copy(core::Offset begin, core::Offset end, const std::string& directory,
                             const std::string& path, std::string& failed) {
  if (thread_.joinable() && !ended_) {
    // Another range: the caller comes back, and this thread does not wait for a disk.
    if (path != path_) stopping_ = true;
    return State::kUnderWay;
  }
  if (thread_.joinable()) {
    const bool same = path == path_ && ended_;
    stop();
    if (same) {
      failed = std::exchange(failed_, {});
      return failed.empty() ? State::kDone : State::kFailed;
    }
  }
  if (end - begin <= kAtOnce) {
    failed = write(begin, end, directory, path);
    return failed.empty() ? State::kDone : State::kFailed;
  }
  ended_ = false;
  try {
    thread_ = start_quiet_thread("ha-cut-copy", [this, begin, end, directory, path] {
      host_.thread_lifecycle().started("ha-cut-copy");
      try {
        failed_ = write(begin, end, directory, path);
      } catch (const std::exception& e) {
        failed_ = e.what();
      }
      host_.thread_lifecycle().stopping("ha-cut-copy");
      ended_ = true;
    });
  } catch (const std::exception& e) {
    failed = e.what();
    return State::kFailed;
  }
  path_ = path;
  return State::kUnderWay;
}

void CutCopy::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  stopping_ = false;
  path_.clear();
}

// A part of it would be taken for all: it does not stay.
std::string CutCopy::write(core::Offset begin, core::Offset end, const std::string& directory,
                           const std::string& path) const {
  std::vector<char> piece(static_cast<std::size_t>(std::min(end - begin, kPieceBytes)));
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return cannot("create", path);
  std::string failed;
  for (core::Offset at = begin; failed.empty() && at < end;) {
    std::int64_t got = 0;
    const std::int64_t want = std::min(end - at, kPieceBytes);
    if (stopping_) {
      failed = "stopped";
    } else if (host_.read(at, piece.data(), want, got) != core::Status::kOk) {
      failed = "the host could not read its log at " + std::to_string(at.bytes());
    } else {
      failed = write_all(fd, piece.data(), got, path);
    }
    at = at + got;
  }
  if (failed.empty() && ::fsync(fd) != 0) failed = cannot("fsync", path);
  if (::close(fd) != 0 && failed.empty()) failed = cannot("close", path);
  if (failed.empty()) failed = sync_directory(directory);
  if (failed.empty()) {
    make_room(directory, path);
  } else {
    remove_file(path);
  }
  return failed;
}

// Only once the newest is there.
void CutCopy::make_room(const std::string& directory, const std::string& newest) const {
  struct Kept {
    std::filesystem::file_time_type written;
    std::string path;
    std::int64_t size;
  };
  std::vector<Kept> older;
  std::int64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    if (!at->path().filename().string().starts_with(kPrefix) || at->is_symlink(gone) ||
        !at->is_regular_file(gone)) {
      continue;
    }
    const auto size = static_cast<std::int64_t>(at->file_size(gone));
    const auto written = at->last_write_time(gone);
    if (gone) continue;
    bytes += size;
    if (at->path() != newest) older.push_back({written, at->path().string(), size});
  }
  std::ranges::sort(older, [](const Kept& a, const Kept& b) {
    return std::tie(a.written, a.path) < std::tie(b.written, b.path);
  });
  std::size_t files = older.size() + 1;
  for (const Kept& oldest : older) {
    if (files <= kMostFiles && bytes <= kMostBytes) break;
    if (std::string failed = remove_file(oldest.path); !failed.empty()) {
      host_.warn(fmt::format("bytes that were cut before stay: {}", failed));
      continue;
    }
    --files;
    bytes -= oldest.size;
    metrics_.cut_copies_removed.add();
    host_.warn(
        fmt::format("removed {}, bytes that were cut before, to make room for {}: at most "
                    "{} such files with {} bytes are kept",
                    oldest.path, newest, kMostFiles, kMostBytes));
  }
  metrics_.cut_copies_bytes.set(bytes);
}

}  // namespace ha::net
