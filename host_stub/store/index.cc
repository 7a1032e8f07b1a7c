#include "store/index.h"

#include <algorithm>
#include <set>
#include <string_view>

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
    const auto queues = std::count_if(topic.queues.begin(), topic.queues.end(),
                                      [](const auto& queue) { return queue.second.shown; });
    if (queues > 0) out.push_back({name, static_cast<std::int64_t>(topic.offsets.size()), queues});
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

void Index::show(std::int64_t offset, std::int64_t queue_offset, Topic& topic, Queue& queue) {
  if (queue.offsets.empty()) queue.first_queue_offset = queue_offset;
  topic.offsets.push_back(offset);
  queue.offsets.push_back(offset);
  queue.shown = true;
}

void Index::on_record(const RecordView& record) {
  if (!record.for_consumers()) return;
  bool visible = false;
  {
    const std::lock_guard lock(mutex_);
    auto topic = topics_.find(record.topic);
    if (topic == topics_.end()) topic = topics_.emplace(record.topic, Topic{}).first;
    Queue& queue = topic->second.queues[record.queue];
    queue.next_queue_offset = record.queue_offset + 1;
    const std::int64_t end = record.offset + record.size;
    visible = end <= limit_;
    if (visible)
      show(record.offset, record.queue_offset, topic->second, queue);
    else
      unconfirmed_.push_back({record.offset, end, record.queue_offset, topic, &queue});
  }
  schedule_.add(record);
  if (visible) waiters_.arrived(record.topic);
}

void Index::on_confirm(std::int64_t limit) {
  std::set<std::string_view> arrived;  // the names live as long as their topics: until a reset
  {
    const std::lock_guard lock(mutex_);
    limit_ = limit;
    while (!unconfirmed_.empty() && unconfirmed_.front().end <= limit) {
      const Unconfirmed& record = unconfirmed_.front();
      show(record.offset, record.queue_offset, record.topic->second, *record.queue);
      arrived.insert(record.topic->first);
      unconfirmed_.pop_front();
    }
  }
  for (const auto topic : arrived) waiters_.arrived(topic);
}

void Index::on_truncate(std::int64_t new_end, const RecordLookup& look) {
  std::vector<std::int64_t> cut;
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    while (!unconfirmed_.empty() && unconfirmed_.back().offset >= new_end) {
      const Unconfirmed& record = unconfirmed_.back();
      record.queue->next_queue_offset = record.queue_offset;
      cut.push_back(record.offset);
      unconfirmed_.pop_back();
    }
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
      for (auto& [number, queue] : topic.queues) {
        const std::size_t before = queue.offsets.size();
        trim(queue.offsets);
        queue.first_queue_offset += static_cast<std::int64_t>(before - queue.offsets.size());
      }
    }
  }
  schedule_.trim(new_min);
}

void Index::on_reset() {
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    unconfirmed_.clear();
    topics_.clear();
  }
  schedule_.reset();
}

std::int64_t Index::first_queue_offset(const std::string& topic, std::int32_t queue) const {
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return 0;
  const auto in_queue = found->second.queues.find(queue);
  return in_queue == found->second.queues.end() ? 0 : in_queue->second.first_queue_offset;
}

std::int64_t Index::end_queue_offset(const std::string& topic, std::int32_t queue) const {
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return 0;
  const auto in_queue = found->second.queues.find(queue);
  if (in_queue == found->second.queues.end()) return 0;
  const Queue& of = in_queue->second;
  return of.first_queue_offset + static_cast<std::int64_t>(of.offsets.size());
}

std::int64_t Index::next_queue_offset(std::string_view topic, std::int32_t queue) {
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return 0;
  const auto in_queue = found->second.queues.find(queue);
  return in_queue == found->second.queues.end() ? 0 : in_queue->second.next_queue_offset;
}

}  // namespace stub::store
