// SPDX-License-Identifier: Apache-2.0
// Waits that have ended, on their way from the plugin's threads to the one Java thread that takes
// them. Thread-safe.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>

namespace ha::rocketmq {

class Completions {
 public:
  struct One {
    std::int32_t slot;
    std::int32_t status;
  };

  void push(One one) {
    const std::lock_guard lock(mutex_);
    ended_.push_back(one);
    if (ended_.size() == 1) some_.notify_one();
  }

  // Waits until there is one; how many were put into `into`. -1: closed, and all are taken.
  std::int32_t take(std::span<One> into) {
    std::unique_lock lock(mutex_);
    some_.wait(lock, [&] { return !ended_.empty() || closed_; });
    if (ended_.empty()) return -1;
    const std::size_t count = std::min(into.size(), ended_.size());
    std::copy_n(ended_.begin(), count, into.begin());
    ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(count));
    return static_cast<std::int32_t>(count);
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    some_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<One> ended_;
  bool closed_ = false;
};

}  // namespace ha::rocketmq
