// SPDX-License-Identifier: Apache-2.0
#include "tests/system/proc_fs.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
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

std::int64_t resident_bytes(pid_t pid) {
  std::ifstream sizes("/proc/" + std::to_string(pid) + "/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  sizes >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace ha::system
