// SPDX-License-Identifier: Apache-2.0
// All chance of a run comes from here, so that a seed says all.
#pragma once

#include <cstdint>

namespace ha::sim {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 0x1234567U) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  // [0, n)
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(n));
  }
  // [low, high]
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  bool permille(std::int64_t p) { return below(1000) < p; }
  bool percent(std::int64_t p) { return below(100) < p; }

 private:
  std::uint64_t state_;
};

}  // namespace ha::sim
