// SPDX-License-Identifier: Apache-2.0
// The coordination engine of a supervised run: one key, leases, and every way to be wrong about
// them.
//
// A draw of its own decides what goes wrong, so that a run without an engine is the same as ever.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/config.h"
#include "tests/sim/rng.h"

namespace ha::sim {

class Engine {
 public:
  enum class Said : std::uint8_t { kYes, kNo, kUnknown };
  struct Key {
    std::string holder;  // "" = absent
    std::uint64_t revision = 0;
    std::uint64_t lease = 0;
  };

  explicit Engine(std::uint64_t seed);

  // From the node with that index, at that time.
  Said grant(std::uint32_t node, Time now, Time ttl, std::uint64_t& lease);
  Said renew(std::uint32_t node, Time now, Time ttl, std::uint64_t lease);
  Said revoke(std::uint32_t node, Time now, std::uint64_t lease);
  Said read(std::uint32_t node, Time now, Key& key);
  Said take(std::uint32_t node, Time now, std::uint64_t lease, const std::string& id,
            std::uint64_t revision);

  // From here on it does what it says.
  void be_honest() { honest_ = true; }
  Rng& rng() { return rng_; }

  std::int64_t requests = 0;
  std::int64_t lies = 0;

 private:
  bool lie(std::int64_t permille);
  // It is not there for that node.
  bool away(std::uint32_t node, Time now);
  void expire(Time now);
  void drop(std::uint64_t lease);
  void set(Key key);

  Rng rng_;
  const bool lies_;  // else it only is away at times
  bool honest_ = false;
  std::uint64_t last_ = 0;
  Key key_;
  Key before_;
  std::map<std::uint64_t, Time> leases_;  // until when
  std::array<Time, 5> away_until_{};
};

}  // namespace ha::sim
