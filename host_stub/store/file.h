// SPDX-License-Identifier: Apache-2.0
// The few things the store asks of the file system, each with an error that names the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/error.h"

namespace stub::store {

// A descriptor that closes itself; -1 = none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// Each of these: nullopt = done.
std::optional<Error> make_directory(const std::string& path);  // fine when it is there; parents too
std::optional<Error> sync_directory(const std::string& path);
std::optional<Error> sync_file(int fd, const std::string& path);
// fine when it is not there
std::optional<Error> remove_file(const std::string& path);
// All or nothing, also across a loss of power: a new file, fsync, rename, fsync of the directory.
std::optional<Error> replace_file(const std::string& path, std::string_view content);
// Not durable, and not at once: after a failure or a loss of power any part may be there.
std::optional<Error> write_file(const std::string& path, std::string_view content);
Result<std::string> read_file(const std::string& path);
// Renames a file so that another can take its place, and says what it is called now:
// PATH.WHY-<Unix time>.
Result<std::string> move_aside(const std::string& path, const std::string& why = "bad");

}  // namespace stub::store
