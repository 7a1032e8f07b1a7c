// SPDX-License-Identifier: Apache-2.0
// A path for a file that only its owner reads; what is there goes with the test.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace stub::test {

class SecretFile {
 public:
  SecretFile() {
    const char* folder = std::getenv("TMPDIR");
    folder_ = std::string(folder != nullptr ? folder : "/tmp") + "/stub_secret.XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
  }
  ~SecretFile() {
    remove();
    ::rmdir(path().c_str());
    ::rmdir(folder_.c_str());
  }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;

  std::string path() const { return folder_ + "/file"; }
  void remove() const { ::unlink(path().c_str()); }
  void write(std::string_view text, mode_t mode = 0600) const {
    ::chmod(path().c_str(), 0600);
    const int fd = ::open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ::fchmod(fd, mode) != 0 ||
        ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      std::abort();
    }
    ::close(fd);
  }

 private:
  std::string folder_;
};

}  // namespace stub::test
