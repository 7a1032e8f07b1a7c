// SPDX-License-Identifier: Apache-2.0
// A broker whose disk fails, or who is killed at a call to it, when the test says so; see
// disk_faults.cc for the words.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/system/lines.h"

namespace ha::interop {

class DiskFaults {
 public:
  explicit DiskFaults(const std::filesystem::path& folder) : file_(folder / "disk_faults") {}
  // For the broker's process.
  std::vector<std::string> environment() const {
    return {std::string("LD_PRELOAD=") + HA_DISK_FAULTS_LIBRARY,
            "HA_DISK_FAULTS=" + file_.string()};
  }
  // "fdatasync EIO", "unlink kill"; "" = all is well.
  void set(const std::string& line) const {
    const std::filesystem::path next = file_.string() + ".next";
    std::ofstream(next) << line << '\n';
    std::filesystem::rename(next, file_);
  }
  // What was called so far, in order.
  std::vector<std::string> calls() const {
    std::ifstream in(file_.string() + ".calls");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return system::split_lines(text);
  }

 private:
  std::filesystem::path file_;
};

}  // namespace ha::interop
