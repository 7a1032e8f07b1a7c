// SPDX-License-Identifier: Apache-2.0
// A small file system in memory, mounted in a mount namespace of this process alone: it goes with
// the process, however that ends. A ballast file takes space away and gives it back.
//
// Threads: the test's first thread only; children that it starts see the mount.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ha::system {

class SmallDisk {
 public:
  // Mounts a disk of so many bytes at the folder, which must exist. Throws Failure.
  SmallDisk(std::filesystem::path folder, std::int64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  // Takes all the space there is.
  void fill() const;
  void free() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace ha::system
