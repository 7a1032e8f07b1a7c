// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/checked_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ha::net {
namespace {

// Far more than any chain, and a bound for a file that is not what it should be.
constexpr std::size_t kMostFileBytes = std::size_t{1} << 20;

}  // namespace

std::string read_checked(const std::string& option, const std::string& path, Readers readers,
                         std::string& out) {
  const auto wrong = [&](const std::string& what) {
    return fmt::format("option '{}': '{}' {}", option, path, what);
  };
  // Not blocking: a FIFO without a writer would hold everything up.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return wrong("cannot be read: " + std::generic_category().message(errno));
  struct stat about {};
  std::string failed;
  if (::fstat(fd, &about) != 0) {
    failed = wrong("cannot be read: " + std::generic_category().message(errno));
  } else if (!S_ISREG(about.st_mode)) {
    failed = wrong("is not a regular file");
  } else if ((readers == Readers::kNotOthers && (about.st_mode & 0007) != 0) ||
             (readers == Readers::kOwner && (about.st_mode & 0077) != 0)) {
    failed = wrong(fmt::format("has mode {:04o}, so that others may use it (try chmod 600)",
                               about.st_mode & 07777));
  } else if (about.st_size > static_cast<off_t>(kMostFileBytes)) {
    failed = wrong(fmt::format("has more than {} bytes", kMostFileBytes));
  }
  out.resize(failed.empty() ? kMostFileBytes : 0);
  std::size_t have = 0;
  while (failed.empty()) {
    const ssize_t n = ::read(fd, out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failed = wrong("cannot be read: " + std::generic_category().message(errno));
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  ::close(fd);
  out.resize(have);
  if (failed.empty() && out.empty()) failed = wrong("is empty");
  return failed;
}

// Kubernetes replaces a directory behind a symbolic link: another inode, whatever the times say.
std::string fingerprint_of(const std::string& path) {
  struct stat about {};
  if (path.empty() || ::stat(path.c_str(), &about) != 0) return "-";
  return fmt::format("{}:{}:{}:{}.{}:{}.{}", about.st_dev, about.st_ino, about.st_size,
                     about.st_mtim.tv_sec, about.st_mtim.tv_nsec, about.st_ctim.tv_sec,
                     about.st_ctim.tv_nsec);
}

}  // namespace ha::net
