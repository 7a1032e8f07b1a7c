// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/state_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <tuple>

#include "ha_plugin/state/durable_file.h"

namespace ha {
namespace {

constexpr const char* kLockFile = "/ha_state.lock";

std::string holder_of(int fd) {
  std::array<char, 24> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (n > 0) std::from_chars(text.data(), text.data() + n, pid);
  if (pid == ::getpid()) return "another instance of this process";
  if (pid <= 0) return "another process";
  std::string shown = fmt::format("process {}", pid);
  if (::kill(pid, 0) != 0 && errno == ESRCH) return "a process that was forked from " + shown;
  return shown;
}

}  // namespace

std::string StateLock::acquire(const std::string& directory) {
  const std::string path = directory + kLockFile;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return cannot("open", path) + " (the plugin must be able to write there)";
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    std::string why =
        errno == EWOULDBLOCK
            ? fmt::format("'{}' is in use by {}: give each node a directory of its own", directory,
                          holder_of(fd))
            : cannot("lock", path);
    ::close(fd);
    return why;
  }
  fd_ = fd;
  // Without it a message says less; the lock holds all the same.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) == 0) std::ignore = ::pwrite(fd, pid.data(), pid.size(), 0);
  return "";
}

void StateLock::release() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace ha
