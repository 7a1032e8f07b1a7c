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
      : rng_(seed ^ 0x5E7U), key_{std::move(first), 0} {
    before_ = key_;
  }

  struct Key {
    core::Members set;
    std::uint64_t revision = 0;
  };

  // From the node with that index, at that time.
  Said read(std::uint32_t node, Time now, Key& key) {
    if (away(node, now)) return Said::kUnknown;
    key = !honest_ && rng_.permille(100) ? before_ : key_;
    return Said::kYes;
  }
  // If it still has that revision. It knows nothing of versions.
  Said write(std::uint32_t node, Time now, const core::Members& next, std::uint64_t revision) {
    if (away(node, now)) return Said::kUnknown;
    if (key_.revision != revision) return Said::kNo;
    if (!honest_ && rng_.permille(50)) return Said::kUnknown;  // nothing was done
    before_ = key_;
    key_ = {next, revision + 1};
    return !honest_ && rng_.permille(100) ? Said::kUnknown : Said::kYes;
  }

  const core::Members& value() const { return key_.set; }
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
  Key key_;
  Key before_;
  bool honest_ = false;
  std::array<Time, 5> away_until_{};
};

}  // namespace ha::sim
