#include "tests/system/proc_fs.h"

#include <filesystem>
#include <iterator>
#include <string>

namespace ha::system {
namespace {

std::size_t entries(pid_t pid, const char* folder) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/" + folder);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

std::size_t open_descriptors(pid_t pid) { return entries(pid, "fd"); }
std::size_t thread_count(pid_t pid) { return entries(pid, "task"); }

}  // namespace ha::system
