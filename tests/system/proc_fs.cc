// SPDX-License-Identifier: Apache-2.0
#include "tests/system/proc_fs.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

namespace ha::system {
namespace {

std::filesystem::directory_iterator entries(pid_t pid, const char* folder) {
  return std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/" + folder);
}

}  // namespace

std::size_t open_sockets(pid_t pid) {
  const auto all = entries(pid, "fd");
  return static_cast<std::size_t>(std::count_if(begin(all), end(all), [](const auto& entry) {
    std::error_code gone;  // it may be closed while we look
    return std::filesystem::read_symlink(entry.path(), gone).string().starts_with("socket:");
  }));
}

std::size_t thread_count(pid_t pid) {
  const auto all = entries(pid, "task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace ha::system
