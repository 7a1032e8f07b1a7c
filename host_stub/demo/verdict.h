// SPDX-License-Identifier: Apache-2.0
// Everything that one broker holds, compared with what was sent.
#pragma once

#include <cstdint>
#include <string>

#include "broker/broker.h"
#include "demo/feeder.h"

namespace stub::demo {

struct Verdict {
  std::int64_t lines = 0;         // of the input
  std::int64_t acknowledged = 0;  // to the producer
  std::int64_t survived = 0;      // never acknowledged, yet found on the new master
  std::int64_t sent_again = 0;
  std::int64_t read = 0;        // messages read back
  std::int64_t found = 0;       // lines found at least once
  std::int64_t lost = 0;        // acknowledged, and not found
  std::int64_t missing = 0;     // not found, never acknowledged
  std::int64_t duplicated = 0;  // messages beyond a line's first
  std::int64_t differ = 0;      // messages whose content is not their line's
  std::int64_t strangers = 0;   // messages with a key that was never sent

  bool good() const { return lost == 0 && missing == 0 && differ == 0 && strangers == 0; }
};

// Reads the whole topic from the broker and compares by key and content.
Result<Verdict> judge(const std::string& broker_url, const Input& input, const Feeder& feeder,
                      const Interrupt& interrupt);

}  // namespace stub::demo
