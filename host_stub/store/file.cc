// SPDX-License-Identifier: Apache-2.0
#include "store/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>

namespace stub::store {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

std::optional<Error> write_new(const std::string& path, std::string_view content, bool durable) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return system_error(errno, "cannot create '" + path + "'");
  while (!content.empty()) {
    const ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(errno, "cannot write '" + path + "'");
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return durable ? sync_file(fd.get(), path) : std::nullopt;
}

}  // namespace

std::optional<Error> make_directory(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return system_error(code.value(), "cannot create the directory '" + path + "'");
  return std::nullopt;
}

std::optional<Error> sync_directory(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return system_error(errno, "cannot open the directory '" + path + "'");
  return sync_file(fd.get(), path);
}

std::optional<Error> sync_file(int fd, const std::string& path) {
  if (::fsync(fd) == 0) return std::nullopt;
  return system_error(errno, "cannot make '" + path + "' durable (fsync)");
}

std::optional<Error> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return std::nullopt;
  return system_error(errno, "cannot remove '" + path + "'");
}

std::optional<Error> replace_file(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".tmp";
  if (auto failed = write_new(fresh, content, true)) return failed;
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return system_error(errno, "cannot rename '" + fresh + "' to '" + path + "'");
  return sync_directory(std::filesystem::path(path).parent_path().string());
}

std::optional<Error> write_file(const std::string& path, std::string_view content) {
  return write_new(path, content, false);
}

Result<std::string> read_file(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(errno, "cannot open '" + path + "'");
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(errno, "cannot read '" + path + "'");
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<std::string> move_aside(const std::string& path, const std::string& why) {
  const std::string bad = path + "." + why + "-" + std::to_string(::time(nullptr));
  std::string to = bad;
  // An earlier one is evidence too: it is not replaced.
  for (int n = 1; std::filesystem::exists(to); ++n) to = bad + "-" + std::to_string(n);
  if (::rename(path.c_str(), to.c_str()) != 0)
    return system_error(errno, "cannot rename '" + path + "' to '" + to + "'");
  if (auto failed = sync_directory(std::filesystem::path(path).parent_path().string()))
    return std::move(*failed);
  return to;
}

}  // namespace stub::store
