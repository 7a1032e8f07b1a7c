// SPDX-License-Identifier: Apache-2.0
// A warning that clients can cause at will: at most one line in ten seconds, and how many more
// there were.
//
// Threads: any.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace stub::http {

class LimitedWarning {
 public:
  void log(const std::string& text) {
    constexpr std::chrono::seconds kPause{10};
    const auto now = std::chrono::steady_clock::now();
    std::int64_t more = 0;
    {
      const std::lock_guard lock(mutex_);
      if (now < next_line_) {
        ++unsaid_;
        return;
      }
      next_line_ = now + kPause;
      more = std::exchange(unsaid_, 0);
    }
    spdlog::warn(
        "{}{}", text,
        more == 0 ? "" : " (and " + std::to_string(more) + " more since the last such line)");
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_line_;
  std::int64_t unsaid_ = 0;
};

}  // namespace stub::http
