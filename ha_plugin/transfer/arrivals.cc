// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/transfer/arrivals.h"

#include <algorithm>
#include <utility>

namespace ha {

Arrivals::~Arrivals() {
  Arrival* arrival = newest_.load();
  while (arrival != nullptr) delete std::exchange(arrival, arrival->next);
}

void Arrivals::push(std::unique_ptr<Arrival> arrival) {
  Arrival* const pushed = arrival.release();
  pushed->next = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(pushed->next, pushed, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
  }
}

// The stack hands the newest over first.
const std::vector<Arrival>& Arrivals::take() {
  Arrival* arrival = newest_.exchange(nullptr, std::memory_order_seq_cst);
  taken_.clear();
  while (arrival != nullptr) {
    taken_.push_back(*arrival);
    delete std::exchange(arrival, arrival->next);
  }
  std::reverse(taken_.begin(), taken_.end());
  return taken_;
}

}  // namespace ha
