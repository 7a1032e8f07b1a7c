// SPDX-License-Identifier: Apache-2.0
#include "demo/input.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "cli/line_reader.h"
#include "ha/plugin.h"

namespace stub::demo {

Result<Input> Input::read(const std::string& path, std::int64_t at_least) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  if (!file) {
    return Error{
        HA_IO, errno,
        "cannot open '" + path + "': " + std::strerror(errno) + " (give a file with lines)"};
  }
  // Fails for a directory, and when there is nothing to copy.
  if (!(all << file.rdbuf())) {
    return Error{HA_IO, 0, "'" + path + "' holds no line (give a file with lines)"};
  }
  Input out;
  out.text_ = std::move(all).str();
  for (std::size_t begin = 0; begin < out.text_.size();) {
    const auto newline = std::min(out.text_.find('\n', begin), out.text_.size());
    if (newline - begin > cli::kMaxLineBytes) {
      return Error{HA_INVALID, 0,
                   "line " + std::to_string(out.places_.size() + 1) + " of '" + path +
                       "' is longer than " + std::to_string(cli::kMaxLineBytes) +
                       " bytes, the most that one message may have"};
    }
    out.places_.emplace_back(begin, newline - begin);
    begin = newline + 1;
  }
  const auto once = static_cast<std::int64_t>(out.places_.size());
  out.lines_ = once * std::max<std::int64_t>(1, (at_least + once - 1) / once);
  return out;
}

}  // namespace stub::demo
