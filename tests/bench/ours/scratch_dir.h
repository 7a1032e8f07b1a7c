// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ha::bench {

// Removed with its owner. In /dev/shm, or under --dir.
class ScratchDir {
 public:
  explicit ScratchDir(const std::string& parent);
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace ha::bench
