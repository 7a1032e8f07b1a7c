// SPDX-License-Identifier: Apache-2.0
// How many lines of one kind a log is given. A peer can cause lines as fast as it
// likes; they would fill a disk and hide what matters.
//
// The first lines of a window are said, the rest is counted, and after the window one line tells
// how many there were. Kinds are few and named by the code, so the table stays small.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ha_plugin/core/types.h"

namespace ha::core {

class LineLimiter {
 public:
  static constexpr Time kWindow = std::chrono::seconds(10);
  static constexpr std::int64_t kBurst = 20;

  // Whether one more line of that kind may be said. kind completes "and 7 more ..."; level is that
  // of its lines, and of the one that counts those held back.
  bool admit(Time now, const std::string& kind, std::int32_t level, std::int64_t burst = kBurst) {
    Window& window = windows_.try_emplace(kind, Window{now, level}).first->second;
    if (window.said < burst) {
      ++window.said;
      return true;
    }
    ++window.held;
    return false;
  }

  // Calls say(level, text) for each kind that held lines back in a window that is over (at_end: or
  // is not). To be called more often than a window is long: it also begins the next one.
  template <class Say>
  void turn(Time now, Say say, bool at_end = false) {
    std::erase_if(windows_, [&](const auto& entry) {
      const auto& [kind, window] = entry;
      if (now - window.begin < kWindow && !at_end) return false;
      if (window.held > 0) {
        say(window.level,
            "and " + std::to_string(window.held) + " more " + kind + " within " +
                std::to_string(
                    std::chrono::round<std::chrono::seconds>(now - window.begin).count()) +
                " s");
      }
      return true;
    });
  }

 private:
  struct Window {
    Time begin{};
    std::int32_t level = 0;
    std::int64_t said = 0;
    std::int64_t held = 0;
  };
  std::map<std::string, Window> windows_;
};

}  // namespace ha::core
