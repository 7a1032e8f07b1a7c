// SPDX-License-Identifier: Apache-2.0
// Tests that need root (mounts, network namespaces) say so once and are skipped, unless the
// environment says that they must run.
#pragma once

#include <string>

namespace ha::system {

// "" when this process may do it; else why not.
std::string why_no_mounts();
std::string why_no_networks();

// True when the variable is "1": then a lack is a failure.
bool required(const char* variable);

}  // namespace ha::system

#define HA_NEED(why_not, variable)                                                       \
  do {                                                                                   \
    const std::string lack = (why_not);                                                  \
    if (!lack.empty() && ::ha::system::required(variable)) FAIL() << lack;               \
    if (!lack.empty()) GTEST_SKIP() << lack << " (" variable "=1 makes this a failure)"; \
  } while (false)
