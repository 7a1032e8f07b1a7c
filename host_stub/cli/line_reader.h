// SPDX-License-Identifier: Apache-2.0
// Lines of a file or pipe as they come, without their newlines, any bytes. A last line without a
// newline counts; the bound on a line's length is kept while it is read, so memory is bounded too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/broker.h"

namespace stub::cli {

// The largest message that a RocketMQ broker takes by default.
inline constexpr std::size_t kMaxLineBytes = std::size_t{4} << 20;

class LineReader {
 public:
  // Reads from the descriptor, which stays the caller's.
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}

  // The next line that is here already; nothing = call fill first, or the input is over. The view
  // holds until the next call of fill.
  std::optional<std::string_view> next();

  // Reads once from the descriptor, which may block. An Error tells a read error or a line that is
  // too long, by its number.
  Result<std::monostate> fill();

  bool finished() const { return ended_ && position_ == buffer_.size(); }
  bool ended() const { return ended_; }                // no more fill
  std::int64_t bytes_taken() const { return taken_; }  // of the lines given out

 private:
  int descriptor_;
  std::string buffer_;
  std::size_t position_ = 0;  // of the first byte not given out
  std::size_t searched_ = 0;  // no newline in [position_, searched_)
  std::int64_t lines_ = 0;
  std::int64_t taken_ = 0;
  bool ended_ = false;
};

}  // namespace stub::cli
