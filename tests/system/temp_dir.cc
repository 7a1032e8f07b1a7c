// SPDX-License-Identifier: Apache-2.0
#include "tests/system/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <system_error>

#include "tests/system/deadline.h"

namespace ha::system {

namespace fs = std::filesystem;

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "ha_system.XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw Failure("cannot make the folder " + name + ": " + std::generic_category().message(errno) +
                  " (set TMPDIR to one that is writable)");
  }
  path_ = name;
}

TempDir::~TempDir() {
  if (testing::Test::HasFailure()) {
    std::cerr << "kept for a look: " << path_.string() << "\n";
    return;
  }
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace ha::system
