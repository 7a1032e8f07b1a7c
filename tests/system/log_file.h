// SPDX-License-Identifier: Apache-2.0
// What a node has written into a file, such as its log.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/system/deadline.h"

namespace ha::system {

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A thread of its own writes the log, so a line may come after the answer.
inline void wait_for_log(const std::filesystem::path& log, const std::string& words) {
  wait_until(
      "the log says '" + words + "'", [&] { return has(text_of(log), words); },
      [&] { return text_of(log); });
}

}  // namespace ha::system
