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
  const auto at = topics_[topic][queue].emplace(cursor, Waiter{id, std::move(wake)});
  places_.emplace(id, Place{topic, queue, at});
  // Counted before it looks, and arrived looks at the count after the index changed: one of the two
  // sees the other (both orders go through the index's mutex).
  waiting_.fetch_add(1);
  this->wake(lock, take_satisfied(topic, queue, stopping_));
  return id;
}

void MessageWaiters::cancel(std::uint64_t id) {
  std::unique_lock lock(mutex_);
  if (const auto found = places_.find(id); found != places_.end()) {
    const Place& place = found->second;
    topics_.find(place.topic)->second.find(place.queue)->second.erase(place.at);
    forget_empty(place.topic, place.queue);
    places_.erase(found);
    waiting_.fetch_sub(1);
  }
  finished_.wait(lock, [&] {
    const auto running = running_.find(id);
    return running == running_.end() || running->second == std::this_thread::get_id();
  });
}

void MessageWaiters::arrived(std::string_view topic, std::int32_t queue) {
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return;
  if (!found->second.contains(queue) && !found->second.contains(std::nullopt)) return;
  auto noted = arrived_.find(topic);
  if (noted == arrived_.end()) noted = arrived_.try_emplace(std::string(topic)).first;
  noted->second.insert(queue);
  changed_.notify_one();
}

void MessageWaiters::forget_empty(std::string_view topic, Queue queue) {
  const auto found = topics_.find(topic);
  const auto waiting = found->second.find(queue);
  if (!waiting->second.empty()) return;
  found->second.erase(waiting);
  if (found->second.empty()) topics_.erase(found);
}

std::vector<MessageWaiters::Waiter> MessageWaiters::take_satisfied(std::string_view topic,
                                                                   Queue queue, bool all) {
  std::vector<Waiter> ready;
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return ready;
  const auto group = found->second.find(queue);
  if (group == found->second.end()) return ready;
  Waiting& waiting = group->second;
  // If the lowest cursor is not reached, none is.
  while (!waiting.empty() && (all || reaches_(found->first, queue, waiting.begin()->first))) {
    Waiter& one = ready.emplace_back(std::move(waiting.begin()->second));
    running_[one.id] = std::this_thread::get_id();
    places_.erase(one.id);
    waiting_.fetch_sub(1);
    waiting.erase(waiting.begin());
  }
  forget_empty(topic, queue);
  return ready;
}

void MessageWaiters::wake(std::unique_lock<std::mutex>& lock, std::vector<Waiter> ready) {
  for (auto& one : ready) {
    lock.unlock();
    one.wake();
    one.wake = nullptr;
    lock.lock();
    running_.erase(one.id);
    finished_.notify_all();
  }
}

void MessageWaiters::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [this] { return stopping_ || !arrived_.empty(); });
    const auto arrived = std::exchange(arrived_, {});
    for (const auto& [topic, queues] : arrived) {
      for (const std::int32_t queue : queues) wake(lock, take_satisfied(topic, queue, false));
      wake(lock, take_satisfied(topic, std::nullopt, false));
    }
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
  while (!topics_.empty()) {
    const auto first = topics_.begin();
    const std::string topic = first->first;  // which goes with its last waiter
    wake(lock, take_satisfied(topic, first->second.begin()->first, true));
  }
}

}  // namespace stub::store
