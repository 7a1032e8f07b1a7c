// SPDX-License-Identifier: Apache-2.0
// What can go wrong, one at a time or several at once.
//
// Threads: the run's first thread; a duel has two more while it lasts.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "tests/torture/world.h"

namespace ha::torture {

// What the run's operator did and heard.
struct Tally {
  std::map<std::string, int> faults;
  int accepted = 0;  // promotions
  int refused = 0;
  int helped = 0;  // times that nodes did not find together by themselves
};

struct Injected {
  std::string kind;
  std::string what;  // it did
};
// Chooses a fault that can be had here and injects it.
Injected inject(World& world, Tally& tally);

}  // namespace ha::torture
