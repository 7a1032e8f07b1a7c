// SPDX-License-Identifier: Apache-2.0
// Random tests say their seed and take one from the environment, so that a failure replays:
// HA_TEST_SEED=123 ./unit_core_test --gtest_filter=...
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace ha::testing {

inline std::uint64_t announced_seed() {
  const char* given = std::getenv("HA_TEST_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "HA_TEST_SEED=" << seed << '\n';
  return seed;
}

}  // namespace ha::testing
