// SPDX-License-Identifier: Apache-2.0
// The log's bounds, published for readers that ask often and must not wait: the plugin's I/O thread
// reads them on every turn.
//
// Threads: load from any, lock-free; update from any, one at a time by the mutex inside. A sequence
// number makes them one consistent reading: it is odd while they change, and a reader that saw
// it change reads again.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace stub::store {

// min <= confirm <= whole_end <= end, min <= durable <= end.
struct LogBounds {
  std::int64_t min = 0;
  std::int64_t end = 0;
  std::int64_t durable = 0;
  std::int64_t whole_end = 0;  // end of the last whole record
  std::int64_t confirm = 0;    // readers see the records below; a record's end, too
};

class PublishedBounds {
 public:
  LogBounds load() const {
    for (;;) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      LogBounds out;
      out.min = min_.load(std::memory_order_acquire);
      out.end = end_.load(std::memory_order_acquire);
      out.durable = durable_.load(std::memory_order_acquire);
      out.whole_end = whole_end_.load(std::memory_order_acquire);
      out.confirm = confirm_.load(std::memory_order_acquire);
      if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) return out;
    }
  }

  // change(LogBounds&) edits the present values.
  template <class Change>
  void update(Change change) {
    const std::lock_guard lock(mutex_);
    LogBounds next{min_, end_, durable_, whole_end_, confirm_};
    change(next);
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    min_.store(next.min, std::memory_order_release);
    end_.store(next.end, std::memory_order_release);
    durable_.store(next.durable, std::memory_order_release);
    whole_end_.store(next.whole_end, std::memory_order_release);
    confirm_.store(next.confirm, std::memory_order_release);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

 private:
  std::mutex mutex_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::int64_t> min_{0};
  std::atomic<std::int64_t> end_{0};
  std::atomic<std::int64_t> durable_{0};
  std::atomic<std::int64_t> whole_end_{0};
  std::atomic<std::int64_t> confirm_{0};
};

}  // namespace stub::store
