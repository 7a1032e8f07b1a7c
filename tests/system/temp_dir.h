// SPDX-License-Identifier: Apache-2.0
// A folder of the test's own. It goes with the test, unless the test failed: then it stays, and its
// name is printed.
#pragma once

#include <filesystem>
#include <string>

namespace ha::system {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace ha::system
