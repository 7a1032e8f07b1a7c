// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ha/loader.hpp"
#include "tests/bench/common/tls.h"

namespace ha::bench {

// Of a node with that id; writes the key file of common/tls.h.
inline std::vector<Option> tls_options(const std::string& id, const std::string& key_file) {
  bench_tls_key_file(key_file.c_str());
  return {
      {"tls", "require"}, {"tls_psk_file", key_file}, {"cluster_id", "bench"}, {"replica_id", id}};
}

}  // namespace ha::bench
