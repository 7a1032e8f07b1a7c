// SPDX-License-Identifier: Apache-2.0
#include "broker/side_file.h"

#include <spdlog/spdlog.h>

#include <cerrno>

#include "store/file.h"

namespace stub {

std::optional<Error> read_side_file(const std::string& path, const std::string& without,
                                    const std::function<std::string(std::string_view)>& take) {
  auto content = store::read_file(path);
  if (auto* error = std::get_if<Error>(&content)) {
    if (error->os_errno == ENOENT) return std::nullopt;
    return std::move(*error);
  }
  const auto& text = std::get<std::string>(content);
  const std::string wrong = text.empty() ? "is empty" : take(text);
  if (wrong.empty()) return std::nullopt;
  auto moved = store::move_aside(path);
  if (auto* error = std::get_if<Error>(&moved)) return std::move(*error);
  spdlog::error(
      "'{}' {}; it is now '{}', and {} (to use it again: stop the broker, repair the file, rename "
      "it back)",
      path, wrong, std::get<std::string>(moved), without);
  return std::nullopt;
}

}  // namespace stub
