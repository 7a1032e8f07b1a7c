// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/indexed_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

constexpr std::uint32_t kIndices = 64;

// The heap beside the dullest thing that does the same: a set of (key, index).
struct Model {
  struct Before {
    const Model* model;
    bool operator()(std::uint32_t a, std::uint32_t b) const {
      return std::pair(model->keys[a], a) < std::pair(model->keys[b], b);
    }
  };
  struct Slot {
    Model* model;
    std::uint32_t& operator()(std::uint32_t i) const { return model->slots[i]; }
  };
  using Heap = IndexedHeap<Before, Slot>;

  Model() { slots.fill(Heap::kAbsent); }
  void push(std::uint32_t index, std::uint32_t key) {
    keys[index] = key;
    heap.push(index);
    in.emplace(key, index);
  }
  void remove(std::uint32_t index) {
    heap.remove(index);
    in.erase({keys[index], index});
  }

  std::array<std::uint32_t, kIndices> keys{};
  std::array<std::uint32_t, kIndices> slots{};
  Heap heap{Before{this}, Slot{this}};
  std::set<std::pair<std::uint32_t, std::uint32_t>> in;
};

TEST(IndexedHeap, GivesTheLeastFirst) {
  Model m;
  for (const std::uint32_t key : {5u, 3u, 9u, 1u, 7u}) m.push(key, key);
  std::vector<std::uint32_t> order;
  while (!m.heap.empty()) {
    order.push_back(m.heap.top());
    m.remove(m.heap.top());
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 3, 5, 7, 9}));
}

TEST(IndexedHeap, AnIndexThatLeftHasNoPlace) {
  Model m;
  m.push(4, 1);
  m.push(5, 2);
  m.remove(4);
  EXPECT_EQ(m.slots[4], Model::Heap::kAbsent);
  EXPECT_EQ(m.heap.top(), 5u);
  EXPECT_EQ(m.slots[5], 0u);
}

TEST(IndexedHeap, AgreesWithASetUnderRandomOperations) {
  std::mt19937_64 random(ha::testing::announced_seed());
  Model m;
  for (int step = 0; step < 50'000; ++step) {
    const auto index = static_cast<std::uint32_t>(random() % kIndices);
    if (m.slots[index] == Model::Heap::kAbsent) {
      m.push(index, static_cast<std::uint32_t>(random() % 16));  // few keys: many ties
    } else {
      m.remove(index);
    }
    ASSERT_EQ(m.heap.size(), m.in.size()) << "step " << step;
    if (m.in.empty()) continue;
    ASSERT_EQ(m.heap.top(), m.in.begin()->second) << "step " << step;
  }
}

}  // namespace
}  // namespace ha::core
