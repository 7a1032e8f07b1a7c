// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this process: "Threads" of "status", or "Anonymous" of "smaps_rollup", in
// KiB. Not RssAnon of "status": that counter is only put together now and then, and may be wrong by
// a quarter of a MiB.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "tests/bench/common/bench.h"

namespace ha::bench {

inline std::int64_t process_status(const std::string& file, const std::string& name) {
  std::ifstream lines("/proc/self/" + file);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1));
  bench_die("/proc/self/%s has no %s", file.c_str(), name.c_str());
}

}  // namespace ha::bench
