// SPDX-License-Identifier: Apache-2.0
// The register that says what the set is: one value, changed by compare-and-set.
//
// It is of a consensus log, so a set that it says it wrote was written, and once. It may be away,
// answer what was true a moment ago, or not say what came of a request.
#pragma once

#include <array>
#include <cstdint>

#include "ha_plugin/core/members.h"
#include "tests/sim/config.h"
#include "tests/sim/rng.h"

namespace ha::sim {

class Register {
 public:
  enum class Said : std::uint8_t { kYes, kNo, kUnknown };

  Register(std::uint64_t seed, core::Members first)
      : rng_(seed ^ 0x5E7U), value_(std::move(first)) {
    before_ = value_;
  }

  // From the node with that index, at that time.
  Said read(std::uint32_t node, Time now, core::Members& set) {
    if (away(node, now)) return Said::kUnknown;
    set = !honest_ && rng_.permille(100) ? before_ : value_;
    return Said::kYes;
  }
  // next.version is one above the version that is replaced.
  Said write(std::uint32_t node, Time now, const core::Members& next) {
    if (away(node, now)) return Said::kUnknown;
    if (value_.version + 1 != next.version) return Said::kNo;
    if (!honest_ && rng_.permille(50)) return Said::kUnknown;  // nothing was done
    before_ = value_;
    value_ = next;
    return !honest_ && rng_.permille(100) ? Said::kUnknown : Said::kYes;
  }

  const core::Members& value() const { return value_; }
  void be_honest() { honest_ = true; }
  Rng& rng() { return rng_; }

 private:
  // Some nodes hear nothing of a change until it is over.
  bool away(std::uint32_t node, Time now) {
    if (honest_) return false;
    if (now >= away_until_[node] && rng_.permille(30)) {
      away_until_[node] = now + kMs * rng_.between(5, 600);
    }
    return now < away_until_[node] || rng_.permille(50);
  }

  Rng rng_;
  core::Members value_;
  core::Members before_;
  bool honest_ = false;
  std::array<Time, 5> away_until_{};
};

}  // namespace ha::sim
