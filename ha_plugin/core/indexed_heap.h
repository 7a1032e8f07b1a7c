// SPDX-License-Identifier: Apache-2.0
// A binary min-heap of small indices that knows where each index stands, so that any of them can be
// taken out in O(log n) without a search and without memory per entry beyond two vectors.
//
// std::priority_queue cannot remove from the middle and std::set allocates a node per entry: a wait
// enters two such orders (by offset, by deadline) and leaves both, a million times a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ha_plugin/core/assert.h"

namespace ha::core {

// Before(a, b): does index a come before index b? Position(i) -> std::uint32_t&: the slot that the
// heap keeps up for index i; kAbsent when it is not in the heap.
template <class Before, class Position>
class IndexedHeap {
 public:
  static constexpr std::uint32_t kAbsent = UINT32_MAX;

  IndexedHeap(Before before, Position position)
      : before_(std::move(before)), position_(std::move(position)) {}

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  std::uint32_t top() const { return heap_.front(); }

  void push(std::uint32_t index) {
    heap_.push_back(index);
    place(heap_.size() - 1, index);
    sift_up(heap_.size() - 1);
  }

  // The slots of its indices keep what they had.
  void clear() { heap_.clear(); }

  // REQUIRES: index is in the heap.
  void remove(std::uint32_t index) {
    const std::size_t hole = position_(index);
    HA_ASSERT(hole < heap_.size() && heap_[hole] == index);
    position_(index) = kAbsent;
    const std::uint32_t last = heap_.back();
    heap_.pop_back();
    if (hole == heap_.size()) return;
    place(hole, last);
    sift_up(hole);
    sift_down(position_(last));
  }

 private:
  void place(std::size_t at, std::uint32_t index) {
    heap_[at] = index;
    position_(index) = static_cast<std::uint32_t>(at);
  }

  void sift_up(std::size_t at) {
    const std::uint32_t index = heap_[at];
    while (at > 0) {
      const std::size_t parent = (at - 1) / 2;
      if (!before_(index, heap_[parent])) break;
      place(at, heap_[parent]);
      at = parent;
    }
    place(at, index);
  }

  void sift_down(std::size_t at) {
    const std::uint32_t index = heap_[at];
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && before_(heap_[child + 1], heap_[child])) ++child;
      if (!before_(heap_[child], index)) break;
      place(at, heap_[child]);
      at = child;
    }
    place(at, index);
  }

  Before before_;
  Position position_;
  std::vector<std::uint32_t> heap_;
};

}  // namespace ha::core
