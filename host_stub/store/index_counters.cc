// SPDX-License-Identifier: Apache-2.0
// Where queues go on: what the index knows of messages that the log no longer holds.

#include <algorithm>

#include "store/index.h"
#include "store/index_lock.h"

namespace stub::store {
namespace {

// No counter can have passed this: each message below min took a record's bytes.
std::int64_t lowest_safe(std::int64_t min) { return (min + kMinRecordBytes - 1) / kMinRecordBytes; }

}  // namespace

void Index::on_begin(std::int64_t min) {
  const std::lock_guard counters_lock(counters_mutex_);
  auto stored = counters_ != nullptr && min > 0 ? counters_->load(min) : std::nullopt;
  saved_min_ = stored ? stored->min : 0;
  const LogLock lock(*this);
  min_ = end_ = min;
  unknown_ = lowest_safe(min);
  learned_ = std::move(stored);
  apply_learned(min);
}

void Index::on_reset(std::int64_t new_min) {
  {
    const std::lock_guard counters_lock(counters_mutex_);
    if (counters_ != nullptr) counters_->forget();
    saved_min_ = 0;
    const LogLock lock(*this);
    ++version_;
    unconfirmed_.clear();
    topics_.clear();
    min_ = end_ = new_min;
    unknown_ = lowest_safe(new_min);
    learned_.reset();
  }
  schedule_.reset();
}

void Index::apply_learned(std::int64_t reached) {
  if (!learned_) return;
  // Not before: records below min bring lower numbers, which are right.
  if (reached >= learned_->min) {
    for (const auto& [topic, queues] : learned_->next)
      for (const auto& [queue, next] : queues) topics_[topic].queues[queue].raise(next);
    learned_->next.clear();
    unsaved_ = true;
  }
  if (reached >= learned_->end) {
    unknown_ = learned_->unknown;
    learned_.reset();
  }
}

void Index::learn(const QueueCounters& counters) {
  const LogLock lock(*this);
  // A table that ends below what this log has lost says too little.
  if (unknown_ == 0 || counters.min < min_) return;
  learned_ = counters;
  apply_learned(end_);
}

std::int64_t Index::begin_of(std::string_view topic, std::int32_t queue) const {
  if (learned_) {
    const auto found = learned_->next.find(topic);
    if (found != learned_->next.end()) {
      const auto in_queue = found->second.find(queue);
      if (in_queue != found->second.end()) return in_queue->second;
    }
  }
  return unknown_;
}

std::int64_t Index::next_queue_offset(std::string_view topic, std::int32_t queue) {
  const LogLock lock(*this);
  const Queue* const of = find(topic, queue);
  return of != nullptr ? of->next() : begin_of(topic, queue);
}

std::int64_t Index::first_queue_offset(const std::string& topic, std::int32_t queue) {
  const std::lock_guard lock(mutex_);
  const Queue* const of = find(topic, queue);
  return of != nullptr ? of->first() : begin_of(topic, queue);
}

std::int64_t Index::end_queue_offset(const std::string& topic, std::int32_t queue) {
  const std::lock_guard lock(mutex_);
  const Queue* const of = find(topic, queue);
  return of != nullptr ? of->end() : begin_of(topic, queue);
}

QueueCounters Index::collect(std::int64_t at, Which which) {
  for (;;) {
    QueueCounters out;
    {
      const std::lock_guard lock(mutex_);
      apply_learned(at);
      at = out.min = std::max(at, min_);
    }
    each_topic([&](const std::string& name, Topic& topic) {
      for (auto& [number, queue] : topic.queues) {
        queue.trim(min_);
        const bool idle = queue.last_offset() < at;
        const std::size_t place = queue.place_at(at);
        const bool held = place < queue.size();
        if (which == Which::kNotInRecords && !idle && !(held && queue.renumbered(place))) continue;
        const std::int64_t next = idle ? queue.next() : held ? queue.at(place) : queue.end();
        if (next > 0) out.next[name][number] = next;
      }
    });
    const std::lock_guard lock(mutex_);
    if (min_ > at) continue;  // messages went meanwhile, and with them the numbers as of `at`
    out.end = std::max(end_, at);
    out.unknown = unknown_;
    return out;
  }
}

std::optional<Error> Index::save(std::int64_t at) {
  unsaved_ = false;
  QueueCounters counters = collect(at, Which::kAll);
  counters.end = counters.min;
  if (auto error = counters_->save(counters)) {
    unsaved_ = true;
    return error;
  }
  saved_min_ = counters.min;
  return std::nullopt;
}

std::optional<Error> Index::before_trim(std::int64_t new_min) {
  const std::lock_guard lock(counters_mutex_);
  if (counters_ == nullptr || new_min == 0 || (new_min <= saved_min_ && !unsaved_))
    return std::nullopt;
  return save(new_min);
}

}  // namespace stub::store
