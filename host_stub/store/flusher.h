// SPDX-License-Identifier: Apache-2.0
// Makes the log durable: on a timer (async), or as soon as somebody waits (sync). One fsync serves
// all who wait at that moment: those who come during it share the next one.
//
// Threads: when_durable and flush from any; callbacks run on the flusher's thread (or inside
// when_durable when it is durable already, or during stop) and must not block.
// Locks: its mutex is never held during an fsync or a callback.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "store/error.h"

namespace stub::store {

class Flusher {
 public:
  // flush_once makes durable what the log holds now and returns the new durable bound; bounds_end
  // is the log's end, by which a wait for bytes that were cut off is told from one that is early.
  struct Log {
    std::function<Result<std::int64_t>()> flush_once;
    std::function<std::int64_t()> durable;
    std::function<std::int64_t()> end;
  };
  using Done = std::function<void(const std::optional<Error>&)>;

  Flusher(Log log, std::int64_t interval_ms);
  ~Flusher() { stop(); }

  void start();
  // A last flush; then whoever still waits is told.
  void stop();

  // done runs once: everything below end is durable, or why not.
  void when_durable(std::int64_t end, Done done);
  // The same, waiting. Not from a callback.
  std::optional<Error> flush(std::int64_t end);
  // Somebody waited for the last flush, so somebody may be waiting for the next.
  bool awaited() const { return awaited_; }

 private:
  struct Waiter {
    std::int64_t end;
    Done done;
  };
  void run();
  void complete(const Result<std::int64_t>& flushed);

  const Log log_;
  const std::int64_t interval_ms_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiter> waiters_;
  std::atomic<bool> awaited_{false};
  bool stopping_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace stub::store
