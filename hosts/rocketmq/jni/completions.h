// SPDX-License-Identifier: Apache-2.0
// Waits that have ended, on their way from the plugin's threads to the one Java thread that takes
// them. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

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
    some_.wait(lock, [&] { return taken_ < ended_.size() || closed_; });
    if (taken_ == ended_.size()) return -1;
    std::size_t count = 0;
    while (count < into.size() && taken_ < ended_.size()) into[count++] = ended_[taken_++];
    if (taken_ == ended_.size()) {
      ended_.clear();
      taken_ = 0;
    }
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
  std::vector<One> ended_;
  std::size_t taken_ = 0;  // of ended_
  bool closed_ = false;
};

}  // namespace ha::rocketmq
