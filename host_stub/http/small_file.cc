// SPDX-License-Identifier: Apache-2.0
#include "http/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <tuple>

#include "ha/plugin.h"
#include "http/text.h"

namespace stub::http {
namespace {

constexpr std::int64_t kSettleSeconds = 2;

struct Descriptor {
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int fd;
};

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

}  // namespace

Error bad_file(std::string_view what, const std::string& path, const std::string& why) {
  return Error{HA_INVALID, 0, std::string(what) + ": " + in_quotes(path) + " " + why};
}

Result<std::string> read_small_file(const std::string& path, std::string_view what,
                                    const SmallFile& rules) {
  const auto cannot_read = [&](int error) {
    return Error{HA_IO, error,
                 std::string(what) + ": cannot read " + in_quotes(path) + ": " +
                     std::strerror(error) + rules.create};
  };
  const std::string give = std::string("; give a regular file with ") + rules.expected;
  // O_NONBLOCK: a pipe without a writer must not hold a broker up before it is seen to be a pipe.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat about {};
  if (file.fd < 0 || ::fstat(file.fd, &about) != 0) return cannot_read(errno);
  if (!S_ISREG(about.st_mode)) {
    return bad_file(what, path, std::string("is ") + kind_of(about.st_mode) + give);
  }
  if ((about.st_mode & rules.closed_to) != 0) {
    return bad_file(what, path,
                    "is open to others than its owner (mode " + octal(about.st_mode) +
                        "); run chmod 600 on it");
  }
  std::string text(rules.max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > rules.max_bytes) {
    return bad_file(what, path,
                    "is longer than " + std::to_string(rules.max_bytes) + " bytes" + give);
  }
  text.resize(size);
  return text;
}

FileStamp::FileStamp(const std::string& path) {
  error_ = ::stat(path.c_str(), &file_) == 0 ? 0 : errno;
  if (error_ != 0) file_ = {};
}

bool FileStamp::operator==(const FileStamp& other) const {
  const auto key = [](const FileStamp& s) {
    const auto& f = s.file_;
    return std::tuple(s.error_, f.st_dev, f.st_ino, f.st_size, f.st_mode, f.st_mtim.tv_sec,
                      f.st_mtim.tv_nsec, f.st_ctim.tv_sec, f.st_ctim.tv_nsec);
  };
  return key(*this) == key(other);
}

bool FileStamp::settled() const {
  const auto changed = std::max(file_.st_mtim.tv_sec, file_.st_ctim.tv_sec);
  return error_ != 0 || ::time(nullptr) - changed > kSettleSeconds;
}

}  // namespace stub::http
