// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ha/plugin.h"

namespace stub::cli {
namespace {

// Large enough that the system call costs nothing, small enough to stay in a cache.
constexpr std::size_t kChunkBytes = 256 * 1024;

}  // namespace

std::optional<std::string_view> LineReader::next() {
  const auto newline = buffer_.find('\n', std::max(searched_, position_));
  const bool last = newline == std::string::npos && ended_ && position_ < buffer_.size();
  if (newline == std::string::npos && !last) {
    searched_ = buffer_.size();
    return std::nullopt;
  }
  const std::size_t end = last ? buffer_.size() : newline;
  const auto line = std::string_view(buffer_).substr(position_, end - position_);
  taken_ += static_cast<std::int64_t>(line.size() + (last ? 0 : 1));
  position_ = last ? end : end + 1;
  ++lines_;
  return line;
}

Result<std::monostate> LineReader::fill() {
  buffer_.erase(0, position_);
  searched_ = buffer_.size();
  position_ = 0;
  const std::size_t held = buffer_.size();
  buffer_.resize(held + kChunkBytes);
  ssize_t got = 0;
  do {
    got = ::read(descriptor_, buffer_.data() + held, kChunkBytes);
  } while (got < 0 && errno == EINTR);
  const int error = got < 0 ? errno : 0;
  buffer_.resize(held + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0) {
    ended_ = true;
    return Error{HA_IO, error,
                 "cannot read line " + std::to_string(lines_ + 1) + ": " + std::strerror(error)};
  }
  ended_ = got == 0;
  const auto newline = buffer_.find('\n', searched_);
  const std::size_t length = newline == std::string::npos ? buffer_.size() : newline;
  if (length > kMaxLineBytes) {
    ended_ = true;
    buffer_.clear();
    return Error{HA_INVALID, 0,
                 "line " + std::to_string(lines_ + 1) + " is longer than " +
                     std::to_string(kMaxLineBytes) +
                     " bytes, the most that one message may have; "
                     "split it or leave it out"};
  }
  return std::monostate{};
}

}  // namespace stub::cli
