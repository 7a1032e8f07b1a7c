#include "store/index.h"

#include <algorithm>

namespace stub::store {

const std::deque<std::int64_t>* Index::find(const std::string& topic,
                                            std::optional<std::int32_t> queue) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return nullptr;
  if (!queue) return &found->second.offsets;
  const auto in_queue = found->second.queues.find(*queue);
  return in_queue == found->second.queues.end() ? nullptr : &in_queue->second.offsets;
}

Index::Range Index::range(const std::string& topic, std::optional<std::int32_t> queue,
                          std::int64_t from, std::int64_t max) const {
  Range out;
  const std::lock_guard lock(mutex_);
  out.version = version_;
  const auto* offsets = find(topic, queue);
  if (offsets == nullptr) return out;
  out.held = static_cast<std::int64_t>(offsets->size());
  const std::int64_t first = std::clamp<std::int64_t>(from, 0, out.held);
  const std::int64_t count = std::clamp<std::int64_t>(max, 0, out.held - first);
  out.offsets.assign(offsets->begin() + first, offsets->begin() + first + count);
  return out;
}

std::int64_t Index::count(const std::string& topic, std::optional<std::int32_t> queue) const {
  const std::lock_guard lock(mutex_);
  const auto* offsets = find(topic, queue);
  return offsets == nullptr ? 0 : static_cast<std::int64_t>(offsets->size());
}

std::uint64_t Index::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

std::vector<Index::TopicCount> Index::topics() const {
  const std::lock_guard lock(mutex_);
  std::vector<TopicCount> out;
  for (const auto& [name, topic] : topics_) {
    if (name == kScheduleTopic) continue;
    out.push_back({name, static_cast<std::int64_t>(topic.offsets.size()),
                   static_cast<std::int64_t>(topic.queues.size())});
  }
  return out;
}

bool Index::has_topic(std::string_view topic) const {
  const std::lock_guard lock(mutex_);
  return topics_.find(topic) != topics_.end();
}

std::size_t Index::topic_count() const {
  const std::lock_guard lock(mutex_);
  return topics_.size();
}

void Index::on_record(const RecordView& record) {
  {
    const std::lock_guard lock(mutex_);
    auto topic = topics_.find(record.topic);
    if (topic == topics_.end()) topic = topics_.emplace(record.topic, Topic{}).first;
    topic->second.offsets.push_back(record.offset);
    Queue& queue = topic->second.queues[record.queue];
    queue.offsets.push_back(record.offset);
    queue.next_queue_offset = record.queue_offset + 1;
  }
  schedule_.add(record);
  waiters_.arrived(record.topic);
}

void Index::on_truncate(std::int64_t new_end, const RecordLookup& look) {
  std::vector<std::int64_t> cut;
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    for (auto& [name, topic] : topics_) {
      while (!topic.offsets.empty() && topic.offsets.back() >= new_end) {
        cut.push_back(topic.offsets.back());
        topic.offsets.pop_back();
      }
      for (auto& [number, queue] : topic.queues) {
        while (!queue.offsets.empty() && queue.offsets.back() >= new_end) {
          RecordView gone;
          if (look(queue.offsets.back(), gone)) queue.next_queue_offset = gone.queue_offset;
          queue.offsets.pop_back();
        }
      }
    }
  }
  RecordView gone;
  for (const std::int64_t offset : cut)
    if (look(offset, gone)) schedule_.remove(gone, look);
  schedule_.truncate(new_end);
}

void Index::on_trim(std::int64_t new_min) {
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    const auto trim = [new_min](std::deque<std::int64_t>& offsets) {
      while (!offsets.empty() && offsets.front() < new_min) offsets.pop_front();
    };
    // Empty queues stay: their next queue offset must go on where it was.
    for (auto& [name, topic] : topics_) {
      trim(topic.offsets);
      for (auto& [number, queue] : topic.queues) trim(queue.offsets);
    }
  }
  schedule_.trim(new_min);
}

void Index::on_reset() {
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    topics_.clear();
  }
  schedule_.reset();
}

std::int64_t Index::next_queue_offset(std::string_view topic, std::int32_t queue) {
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return 0;
  const auto in_queue = found->second.queues.find(queue);
  return in_queue == found->second.queues.end() ? 0 : in_queue->second.next_queue_offset;
}

}  // namespace stub::store
