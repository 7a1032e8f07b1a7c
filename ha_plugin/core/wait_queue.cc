#include "ha_plugin/core/wait_queue.h"

#include <algorithm>

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

WaitQueue::OffsetHeap& WaitQueue::heap_of(Level level) {
  return levels_.try_emplace(level, ByOffset{this}, OffsetSlot{this}).first->second;
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
  node.newer = kNone;
  node.older = arrivals_tail_;
  (arrivals_tail_ == kNone ? arrivals_head_ : nodes_[arrivals_tail_].newer) = index;
  arrivals_tail_ = index;
  ++size_;

  OffsetHeap& heap = heap_of(wait.level);
  if (heap.empty()) {
    active_levels_.insert(
        std::lower_bound(active_levels_.begin(), active_levels_.end(), wait.level), wait.level);
  }
  heap.push(index);
  deadlines_.push(index);
}

void WaitQueue::end(std::uint32_t index, Status status, std::vector<EndedWait>& ended) {
  Node& node = nodes_[index];
  heap_of(node.wait.level).remove(index);
  deadlines_.remove(index);
  (node.older == kNone ? arrivals_head_ : nodes_[node.older].newer) = node.newer;
  (node.newer == kNone ? arrivals_tail_ : nodes_[node.newer].older) = node.older;
  ended.push_back({node.wait, status});
  free_.push_back(index);
  --size_;
}

void WaitQueue::drop_level_if_empty(Level level) {
  if (!heap_of(level).empty()) return;
  const auto at = std::lower_bound(active_levels_.begin(), active_levels_.end(), level);
  if (at != active_levels_.end() && *at == level) active_levels_.erase(at);
}

void WaitQueue::complete(Level level, Offset reached, std::vector<EndedWait>& ended) {
  OffsetHeap& heap = heap_of(level);
  while (!heap.empty() && nodes_[heap.top()].wait.end <= reached) {
    end(heap.top(), Status::kOk, ended);
  }
  drop_level_if_empty(level);
}

void WaitQueue::expire(Time now, std::vector<EndedWait>& ended) {
  while (!deadlines_.empty() && nodes_[deadlines_.top()].wait.deadline <= now) {
    const Level level = nodes_[deadlines_.top()].wait.level;
    end(deadlines_.top(), Status::kFlushSlaveTimeout, ended);
    drop_level_if_empty(level);
  }
}

void WaitQueue::fail_all(Status status, std::vector<EndedWait>& ended) {
  while (arrivals_head_ != kNone) {
    const Level level = nodes_[arrivals_head_].wait.level;
    end(arrivals_head_, status, ended);
    drop_level_if_empty(level);
  }
}

Time WaitQueue::next_deadline() const {
  return deadlines_.empty() ? kNever : nodes_[deadlines_.top()].wait.deadline;
}

Time WaitQueue::oldest_started() const {
  return arrivals_head_ == kNone ? kNever : nodes_[arrivals_head_].wait.started;
}

}  // namespace ha::core
