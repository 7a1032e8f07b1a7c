// SPDX-License-Identifier: Apache-2.0
// A directory of one's own that goes away with its owner.
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "broker/broker.h"
#include "ha/plugin.h"

namespace stub::demo {

class TempDir {
 public:
  // In $TMPDIR, else in /tmp.
  static Result<TempDir> make(bool keep) {
    const char* base = std::getenv("TMPDIR");
    std::string path =
        std::string(base != nullptr && *base != 0 ? base : "/tmp") + "/ha_demo.XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return Error{HA_IO, errno,
                   "cannot make a directory '" + path + "': " + std::strerror(errno) +
                       " (set TMPDIR to a place with 200 MB free)"};
    }
    return TempDir(std::move(path), keep);
  }
  ~TempDir() {
    std::error_code ignored;
    if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
  }
  TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)), keep_(other.keep_) {
    other.path_.clear();
  }
  TempDir& operator=(TempDir&&) = delete;

  const std::string& path() const { return path_; }

 private:
  TempDir(std::string path, bool keep) : path_(std::move(path)), keep_(keep) {}
  std::string path_;
  bool keep_;
};

}  // namespace stub::demo
