// SPDX-License-Identifier: Apache-2.0
// Something that is done on a thread of its own while the caller does something else.
//
// Threads: begin and end from one at a time, in turns.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "store/error.h"

namespace stub::store {

class Beside {
 public:
  using Work = std::function<std::optional<Error>()>;

  explicit Beside(Work work);
  ~Beside();
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;

  void begin();
  std::optional<Error> end();  // waits for it; what it returned

 private:
  enum class State { kIdle, kAsked, kDone, kStopping };
  void run();

  const Work work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kIdle;
  std::optional<Error> result_;
  std::thread thread_;
};

}  // namespace stub::store
