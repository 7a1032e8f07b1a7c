// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ours/scratch_dir.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

#include "tests/bench/common/bench.h"

namespace ha::bench {

ScratchDir::ScratchDir(const std::string& parent) : path_(parent + "/ha_bench.XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) bench_die("cannot make a directory '%s'", path_.c_str());
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ha::bench
