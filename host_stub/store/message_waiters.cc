// SPDX-License-Identifier: Apache-2.0
#include "store/message_waiters.h"

#include <utility>
#include <vector>

namespace stub::store {

MessageWaiters::MessageWaiters(Reaches reaches)
    : reaches_(std::move(reaches)), thread_([this] { run(); }) {}

std::uint64_t MessageWaiters::add(const std::string& topic, std::optional<std::int32_t> queue,
                                  std::int64_t cursor, std::function<void()> wake) {
  std::unique_lock lock(mutex_);
  const std::uint64_t id = next_id_++;
  by_topic_[topic].emplace(id, Waiter{queue, cursor, std::move(wake)});
  topic_of_[id] = topic;
  // Counted before it looks, and arrived looks at the count after the index changed: one of the two
  // sees the other (both orders go through the index's mutex).
  waiting_.fetch_add(1);
  wake_satisfied(lock, topic, stopping_);
  return id;
}

void MessageWaiters::cancel(std::uint64_t id) {
  std::unique_lock lock(mutex_);
  if (const auto found = topic_of_.find(id); found != topic_of_.end()) {
    const auto topic = by_topic_.find(found->second);
    topic->second.erase(id);
    if (topic->second.empty()) by_topic_.erase(topic);
    topic_of_.erase(found);
    waiting_.fetch_sub(1);
  }
  finished_.wait(lock, [&] {
    const auto running = running_.find(id);
    return running == running_.end() || running->second == std::this_thread::get_id();
  });
}

void MessageWaiters::arrived(std::string_view topic) {
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  if (by_topic_.find(topic) == by_topic_.end()) return;
  if (arrived_.find(topic) == arrived_.end()) arrived_.emplace(topic);
  changed_.notify_one();
}

void MessageWaiters::wake_satisfied(std::unique_lock<std::mutex>& lock, const std::string& topic,
                                    bool all) {
  const auto found = by_topic_.find(topic);
  if (found == by_topic_.end()) return;
  std::vector<std::pair<std::uint64_t, std::function<void()>>> ready;
  for (auto at = found->second.begin(); at != found->second.end();) {
    if (!all && !reaches_(topic, at->second.queue, at->second.cursor)) {
      ++at;
      continue;
    }
    ready.emplace_back(at->first, std::move(at->second.wake));
    running_[at->first] = std::this_thread::get_id();
    topic_of_.erase(at->first);
    waiting_.fetch_sub(1);
    at = found->second.erase(at);
  }
  if (found->second.empty()) by_topic_.erase(found);
  for (auto& [id, wake] : ready) {
    lock.unlock();
    wake();
    wake = nullptr;
    lock.lock();
    running_.erase(id);
    finished_.notify_all();
  }
}

void MessageWaiters::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [this] { return stopping_ || !arrived_.empty(); });
    const auto topics = std::exchange(arrived_, {});
    for (const auto& topic : topics) wake_satisfied(lock, topic, false);
  }
}

void MessageWaiters::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::unique_lock lock(mutex_);
  while (!by_topic_.empty()) wake_satisfied(lock, std::string(by_topic_.begin()->first), true);
}

}  // namespace stub::store
