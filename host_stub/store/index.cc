// SPDX-License-Identifier: Apache-2.0
#include "store/index.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "store/index_lock.h"

namespace stub::store {

Index::Index(QueueCounterStore* counters)
    : counters_(counters), waiters_([this](auto& topic, auto queue, auto cursor) {
        return reaches(topic, queue, cursor);
      }) {}

// ---- readers ----

Index::Topic* Index::find(std::string_view topic) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return nullptr;
  trim(found->second);
  return &found->second;
}

Index::Queue* Index::find(std::string_view topic, std::int32_t queue) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return nullptr;
  const auto in_queue = found->second.queues.find(queue);
  if (in_queue == found->second.queues.end()) return nullptr;
  in_queue->second.trim(min_);
  return &in_queue->second;
}

void Index::trim(Topic& topic) {
  while (!topic.offsets.empty() && topic.offsets.front() < min_) topic.offsets.pop_front();
}

Index::Range Index::range(const std::string& topic, std::optional<std::int32_t> queue,
                          std::int64_t from, std::int64_t max) {
  Range out;
  const std::lock_guard lock(mutex_);
  out.version = version_;
  const auto count = [max](std::size_t size, std::size_t first) {
    return first + std::min(size - first, static_cast<std::size_t>(std::max<std::int64_t>(max, 0)));
  };
  if (queue) {
    const Queue* const of = find(topic, *queue);
    if (of == nullptr) {
      out.first = out.end = begin_of(topic, *queue);
      return out;
    }
    out.first = of->first();
    out.end = of->end();
    const std::size_t begin = of->place_of(from);
    const std::size_t end = count(of->size(), begin);
    out.all = end == of->size();
    for (std::size_t place = begin; place < end; ++place) {
      out.offsets.push_back(of->offset(place));
      out.queue_offsets.push_back(of->at(place));
    }
    return out;
  }
  out.first = min_;
  out.end = readable_end();
  const Topic* const of = find(topic);
  if (of == nullptr) return out;
  out.renumbered = of->renumbered;
  const auto begin = std::lower_bound(of->offsets.begin(), of->offsets.end(), from);
  const auto first = static_cast<std::size_t>(begin - of->offsets.begin());
  const std::size_t end = count(of->offsets.size(), first);
  out.all = end == of->offsets.size();
  out.offsets.assign(begin, of->offsets.begin() + static_cast<std::ptrdiff_t>(end));
  return out;
}

std::int64_t Index::count(const std::string& topic, std::optional<std::int32_t> queue) {
  const std::lock_guard lock(mutex_);
  if (queue) {
    const Queue* const of = find(topic, *queue);
    return of == nullptr ? 0 : static_cast<std::int64_t>(of->size());
  }
  const Topic* const of = find(topic);
  return of == nullptr ? 0 : static_cast<std::int64_t>(of->offsets.size());
}

bool Index::reaches(const std::string& topic, std::optional<std::int32_t> queue,
                    std::int64_t cursor) {
  const std::lock_guard lock(mutex_);
  if (queue) {
    const Queue* const of = find(topic, *queue);
    return of != nullptr && of->size() > 0 && of->end() > cursor;
  }
  const Topic* const of = find(topic);
  return of != nullptr && !of->offsets.empty() && of->offsets.back() >= cursor;
}

std::int64_t Index::queue_offset_of(std::string_view topic, std::int32_t queue,
                                    std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  const Queue* const of = find(topic, queue);
  if (of == nullptr) return -1;
  const std::size_t place = of->place_at(offset);
  return place < of->size() ? of->at(place) : -1;
}

std::uint64_t Index::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

void Index::each_topic(const std::function<void(const std::string&, Topic&)>& use,
                       const std::function<void()>& between) {
  std::optional<std::string> last;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      auto at = last ? topics_.upper_bound(*last) : topics_.begin();
      for (std::size_t seen = 0; at != topics_.end() && seen < kQueuesPerLook; ++at) {
        seen += 1 + at->second.queues.size();
        use(at->first, at->second);
        last = at->first;
      }
      if (at == topics_.end()) return;
    }
    if (between) between();
    // A mutex is not fair: without this the walk has it again before an append has woken up.
    while (log_waits_.load() > 0) std::this_thread::yield();
  }
}

std::vector<Index::TopicCount> Index::topics(const std::function<void()>& between) {
  std::vector<TopicCount> out;
  each_topic(
      [&](const std::string& name, Topic& topic) {
        if (name == kScheduleTopic || topic.shown_queues == 0) return;
        trim(topic);
        out.push_back({name, static_cast<std::int64_t>(topic.offsets.size()), topic.shown_queues});
      },
      between);
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

// ---- the log's changes ----

void Index::show(const Unconfirmed& record) {
  Topic& topic = record.topic->second;
  topic.offsets.push_back(record.offset);
  record.queue->show(record.offset, record.queue_offset, record.recorded);
  topic.renumbered = topic.renumbered || record.queue_offset != record.recorded;
  if (!std::exchange(record.queue->shown, true)) ++topic.shown_queues;
}

Index::Place Index::place_of(std::string_view topic, std::int32_t queue) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) found = topics_.emplace(topic, Topic{}).first;
  Queue& held = found->second.queues[queue];
  held.number = queue;
  return {found, &held};
}

bool Index::take(Place place, std::int64_t offset, std::int64_t end, std::int64_t recorded) {
  place.queue->trim(min_);
  const std::int64_t last_before = place.queue->last_offset();
  const std::int64_t queue_offset = place.queue->add(offset, recorded);
  const Unconfirmed one{offset, end, queue_offset, recorded, last_before, place.topic, place.queue};
  const bool visible = end <= limit_;
  if (visible)
    show(one);
  else
    unconfirmed_.push_back(one);
  end_ = end;
  return visible;
}

void Index::on_record(const RecordView& record) {
  const std::int64_t end = record.offset + record.size;
  if (!record.for_consumers()) {
    const LogLock lock(*this);
    end_ = end;
    return;
  }
  bool visible = false;
  {
    const LogLock lock(*this);
    apply_learned(record.offset);
    visible = take(place_of(record.topic, record.queue), record.offset, end, record.queue_offset);
  }
  schedule_.add(record);
  if (visible) waiters_.arrived(record.topic, record.queue);
}

// Nobody waits for a message while the log is being opened.
void Index::on_digest(const Digest& digest) {
  {
    const LogLock lock(*this);
    std::vector<Place> places(digest.queues.size());  // looked up once for all their records
    for (const auto& record : digest.records) {
      if (record.queue == Digest::kNoQueue) {
        end_ = record.end;
        continue;
      }
      apply_learned(record.offset);
      Place& place = places[record.queue];
      if (place.queue == nullptr) {
        const auto& queue = digest.queues[record.queue];
        place = place_of(queue.topic, queue.number);
      }
      take(place, record.offset, record.end, record.queue_offset);
    }
  }
  for (const auto& note : digest.notes) schedule_.add(note);
}

void Index::on_confirm(std::int64_t limit) {
  // The names live as long as their topics: until a reset.
  std::set<std::pair<std::string_view, std::int32_t>> arrived;
  {
    const LogLock lock(*this);
    limit_ = limit;
    while (!unconfirmed_.empty() && unconfirmed_.front().end <= limit) {
      show(unconfirmed_.front());
      arrived.insert({unconfirmed_.front().topic->first, unconfirmed_.front().queue->number});
      unconfirmed_.pop_front();
    }
  }
  for (const auto& [topic, queue] : arrived) waiters_.arrived(topic, queue);
}

void Index::on_truncate(std::int64_t new_end, const RecordLookup& look) {
  const std::lock_guard counters_lock(counters_mutex_);
  std::vector<std::int64_t> cut;
  {
    const LogLock lock(*this);
    ++version_;
    end_ = std::min(end_, new_end);
    // It counted records that go.
    if (learned_ && learned_->end > new_end) learned_.reset();
    while (!unconfirmed_.empty() && unconfirmed_.back().offset >= new_end) {
      const Unconfirmed& record = unconfirmed_.back();
      record.queue->drop(record.queue_offset, record.last_before);
      cut.push_back(record.offset);
      unconfirmed_.pop_back();
    }
    for (auto& [name, topic] : topics_) {
      while (!topic.offsets.empty() && topic.offsets.back() >= new_end) {
        cut.push_back(topic.offsets.back());
        topic.offsets.pop_back();
      }
      for (auto& [number, queue] : topic.queues) queue.cut(new_end);
    }
  }
  // A trim that was prepared and did not come about.
  if (saved_min_ > new_end && save(min_)) counters_->forget();
  RecordView gone;
  for (const std::int64_t offset : cut)
    if (look(offset, gone)) schedule_.remove(gone, look);
  schedule_.truncate(new_end);
}

void Index::on_trim(std::int64_t new_min) {
  {
    const LogLock lock(*this);
    ++version_;
    min_ = new_min;
    end_ = std::max(end_, new_min);
  }
  schedule_.trim(new_min);
}

void Index::after_trim() {
  each_topic([this](const std::string&, Topic& topic) {
    trim(topic);
    // Empty queues stay: they know where they go on.
    for (auto& [number, queue] : topic.queues) queue.trim(min_);
  });
}

}  // namespace stub::store
