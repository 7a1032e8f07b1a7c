// SPDX-License-Identifier: Apache-2.0
// The lines to send: a file's, as often as it takes to reach a number of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"

namespace stub::demo {

class Input {
 public:
  // Errors: cannot be read, holds no line, or one that is too long for a message.
  static Result<Input> read(const std::string& path, std::int64_t at_least);

  std::int64_t lines() const { return lines_; }
  std::string_view line(std::int64_t i) const {
    const auto [begin, size] = places_[static_cast<std::size_t>(i) % places_.size()];
    return std::string_view(text_).substr(begin, size);
  }
  std::int64_t repeated() const { return lines_ / static_cast<std::int64_t>(places_.size()); }

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;
  std::int64_t lines_ = 0;
};

}  // namespace stub::demo
