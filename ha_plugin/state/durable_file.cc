// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace ha {

std::string cannot(const char* what, const std::string& path) {
  return fmt::format("cannot {} '{}': {}", what, path, std::generic_category().message(errno));
}

std::string read_file(const std::string& path, std::string& text, bool& missing) {
  missing = false;
  text.resize(kMostFileBytes + 1);  // before there is a descriptor: it may throw
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    text.clear();
    missing = errno == ENOENT;
    return missing ? "" : cannot("open", path);
  }
  std::size_t have = 0;
  ssize_t n = 0;
  while (have < text.size() && (n = ::read(fd, text.data() + have, text.size() - have)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    have += static_cast<std::size_t>(n);
  }
  std::string failed = n < 0 ? cannot("read", path) : "";
  ::close(fd);
  text.resize(have);
  if (failed.empty() && have > kMostFileBytes) {
    return fmt::format("'{}' has more than {} bytes", path, kMostFileBytes);
  }
  return failed;
}

namespace {

std::string write_with(int flags, const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0) return cannot("create", path);
  std::string failed;
  while (failed.empty() && !text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) failed = cannot("write", path);
  }
  if (failed.empty() && ::fsync(fd) != 0) failed = cannot("fsync", path);
  if (::close(fd) != 0 && failed.empty()) failed = cannot("close", path);
  return failed;
}

}  // namespace

std::string write_file(const std::string& path, std::string_view text) {
  return write_with(O_TRUNC, path, text);
}

std::string append_file(const std::string& path, std::string_view text) {
  return write_with(O_APPEND, path, text);
}

std::string sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return cannot("open", path);
  std::string failed = ::fsync(fd) != 0 ? cannot("fsync", path) : "";
  ::close(fd);
  return failed;
}

std::string remove_file(const std::string& path) {
  return ::unlink(path.c_str()) != 0 && errno != ENOENT ? cannot("remove", path) : "";
}

std::string rename_file(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) != 0 ? cannot("rename", from) : "";
}

std::string replace_file(const std::string& directory, const std::string& path,
                         std::string_view text) {
  const std::string fresh = path + ".tmp";
  std::string failed = write_file(fresh, text);
  if (failed.empty()) failed = rename_file(fresh, path);
  return failed.empty() ? sync_directory(directory) : failed;
}

}  // namespace ha
