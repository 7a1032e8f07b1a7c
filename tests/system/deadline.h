// SPDX-License-Identifier: Apache-2.0
// How long anything here may take before the test calls it a failure. Nothing is measured against
// these: they are far above what a loaded machine needs, and a test that passes never waits for
// them.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

namespace ha::system {

using Clock = std::chrono::steady_clock;

inline constexpr std::chrono::seconds kDeadline{40};

// What went wrong outside the test's own statements: a process that does not start, a time that ran
// out. GoogleTest reports it as the test's failure.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Asks again and again until the condition holds. A condition in another process cannot wake us, so
// this polls; `what` is told when it never comes, with what `now` says of the present state.
inline void wait_until(const std::string& what, const std::function<bool()>& holds,
                       const std::function<std::string()>& now = {},
                       std::chrono::milliseconds deadline = kDeadline) {
  constexpr std::chrono::milliseconds kPoll{20};
  const auto end = Clock::now() + deadline;
  while (!holds()) {
    if (Clock::now() >= end) {
      throw Failure("waited " + std::to_string(deadline.count()) + " ms in vain until " + what +
                    (now ? "; now: " + now() : ""));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace ha::system
