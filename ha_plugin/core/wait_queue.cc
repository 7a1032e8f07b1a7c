// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/wait_queue.h"

#include <algorithm>

#include "ha_plugin/core/assert.h"

namespace ha::core {

bool WaitQueue::ByOffset::operator()(std::uint32_t a, std::uint32_t b) const {
  const Node& x = queue->nodes_[a];
  const Node& y = queue->nodes_[b];
  if (x.wait.end != y.wait.end) return x.wait.end < y.wait.end;
  return x.sequence < y.sequence;
}

bool WaitQueue::ByDeadline::operator()(std::uint32_t a, std::uint32_t b) const {
  const Node& x = queue->nodes_[a];
  const Node& y = queue->nodes_[b];
  if (x.wait.deadline != y.wait.deadline) return x.wait.deadline < y.wait.deadline;
  return x.sequence < y.sequence;
}

WaitQueue::Waiting& WaitQueue::waiting_at(Level level) {
  return levels_.try_emplace(level, Waiting{{ByOffset{this}, OffsetSlot{this}}}).first->second;
}

void WaitQueue::add(const Wait& wait) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Node& node = nodes_[index];
  node.wait = wait;
  node.sequence = next_sequence_++;
  ++size_;

  Waiting& waiting = waiting_at(wait.level);
  node.newer = kNone;
  node.older = waiting.newest;
  (waiting.newest == kNone ? waiting.oldest : nodes_[waiting.newest].newer) = index;
  waiting.newest = index;
  if (waiting.by_offset.empty()) {
    active_levels_.insert(
        std::lower_bound(active_levels_.begin(), active_levels_.end(), wait.level), wait.level);
  }
  waiting.by_offset.push(index);
  deadlines_.push(index);
}

void WaitQueue::end(std::uint32_t index, Status status, std::vector<EndedWait>& ended) {
  Node& node = nodes_[index];
  Waiting& waiting = waiting_at(node.wait.level);
  waiting.by_offset.remove(index);
  deadlines_.remove(index);
  (node.older == kNone ? waiting.oldest : nodes_[node.older].newer) = node.newer;
  (node.newer == kNone ? waiting.newest : nodes_[node.newer].older) = node.older;
  ended.push_back({node.wait, status});
  free_.push_back(index);
  --size_;
}

void WaitQueue::drop_level_if_empty(Level level) {
  if (!waiting_at(level).by_offset.empty()) return;
  const auto at = std::lower_bound(active_levels_.begin(), active_levels_.end(), level);
  if (at != active_levels_.end() && *at == level) active_levels_.erase(at);
}

bool WaitQueue::complete(Level level, Offset reached, std::vector<EndedWait>& ended,
                         std::size_t most) {
  OffsetHeap& heap = waiting_at(level).by_offset;
  const auto more = [&] { return !heap.empty() && nodes_[heap.top()].wait.end <= reached; };
  for (; more() && most > 0; --most) end(heap.top(), Status::kOk, ended);
  const bool all = !more();
  drop_level_if_empty(level);
  return all;
}

void WaitQueue::expire(Time now, std::vector<EndedWait>& ended, std::size_t most) {
  for (; most > 0 && !deadlines_.empty(); --most) {
    if (nodes_[deadlines_.top()].wait.deadline > now) return;
    const Level level = nodes_[deadlines_.top()].wait.level;
    end(deadlines_.top(), Status::kFlushSlaveTimeout, ended);
    drop_level_if_empty(level);
  }
}

void WaitQueue::fail_all(Status status, std::vector<EndedWait>& ended) {
  std::vector<std::uint32_t> all;
  all.reserve(size_);
  for (auto& [level, waiting] : levels_) {
    for (std::uint32_t at = waiting.oldest; at != kNone; at = nodes_[at].newer) all.push_back(at);
    waiting.oldest = waiting.newest = kNone;
    waiting.by_offset.clear();
  }
  std::sort(all.begin(), all.end(), [this](std::uint32_t a, std::uint32_t b) {
    return nodes_[a].sequence < nodes_[b].sequence;
  });
  for (const std::uint32_t index : all) ended.push_back({nodes_[index].wait, status});
  free_.insert(free_.end(), all.begin(), all.end());
  active_levels_.clear();
  deadlines_.clear();
  size_ = 0;
}

Time WaitQueue::next_deadline() const {
  return deadlines_.empty() ? kNever : nodes_[deadlines_.top()].wait.deadline;
}

Time WaitQueue::oldest_started() const {
  Time oldest = kNever;
  for (const Level level : active_levels_) oldest = std::min(oldest, oldest_started(level));
  return oldest;
}

Time WaitQueue::oldest_started(Level level) const {
  const auto at = levels_.find(level);
  return at == levels_.end() || at->second.oldest == kNone ? kNever
                                                           : nodes_[at->second.oldest].wait.started;
}

Offset WaitQueue::lowest_end(Level level) const {
  return nodes_[levels_.at(level).by_offset.top()].wait.end;
}

}  // namespace ha::core
