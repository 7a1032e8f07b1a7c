// SPDX-License-Identifier: Apache-2.0
// Waits on their way from host threads to the I/O thread: a lock-free stack.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "ha_plugin/core/wait_queue.h"

namespace ha {

struct Arrival {
  core::Wait wait;
  std::int64_t epoch = 0;  // that the caller appended in; 0 = it did not say
  Arrival* next = nullptr;
};

class Arrivals {
 public:
  Arrivals() = default;
  ~Arrivals();
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;

  // Any thread. From here on the arrival is the I/O thread's, which may have freed it already.
  void push(std::unique_ptr<Arrival> arrival);

  // The I/O thread: all that came since the last time, in the order they came. Valid until the next
  // call.
  const std::vector<Arrival>& take();

 private:
  std::atomic<Arrival*> newest_{nullptr};
  std::vector<Arrival> taken_;
};

}  // namespace ha
