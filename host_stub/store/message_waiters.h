// SPDX-License-Identifier: Apache-2.0
// Long polls: those who wait for a queue, or a topic, to have a message at or above their cursor.
//
// arrived only notes the queue and hands over to a thread of its own: it is called under the log's
// append lock, and what a waiter does when it wakes is a stranger's code. The waiters of one queue
// are sorted by cursor, so a message looks only at those that it wakes.
//
// Threads: add and cancel from any; arrived serialised; wakes run on the waiters' thread, or inside
// add when the messages are there already, or inside stop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace stub::store {

class MessageWaiters {
 public:
  // Is there a message at or above the cursor?
  using Reaches =
      std::function<bool(const std::string&, std::optional<std::int32_t>, std::int64_t cursor)>;

  explicit MessageWaiters(Reaches reaches);
  ~MessageWaiters() { stop(); }

  // Calls wake once, when the topic (or queue) has a message at or above the cursor, or at stop.
  std::uint64_t add(const std::string& topic, std::optional<std::int32_t> queue,
                    std::int64_t cursor, std::function<void()> wake);
  // When it returns wake does not run any more; inside a wake it does not wait for that very one.
  void cancel(std::uint64_t id);

  // A message of that queue.
  void arrived(std::string_view topic, std::int32_t queue);
  // Wakes everybody; later waiters are woken at once.
  void stop();

 private:
  using Queue = std::optional<std::int32_t>;  // nullopt: the whole topic
  struct Waiter {
    std::uint64_t id = 0;
    std::function<void()> wake;
  };
  using Waiting = std::multimap<std::int64_t, Waiter>;  // by cursor
  using Topic = std::map<Queue, Waiting>;
  struct Place {
    std::string topic;
    Queue queue;
    Waiting::iterator at;
  };
  void run();
  // All below: REQUIRES the mutex.
  std::vector<Waiter> take_satisfied(std::string_view topic, Queue queue, bool all);
  void forget_empty(std::string_view topic, Queue queue);
  void wake(std::unique_lock<std::mutex>& lock, std::vector<Waiter> ready);

  const Reaches reaches_;
  std::mutex mutex_;
  std::condition_variable changed_;   // the thread's
  std::condition_variable finished_;  // cancel's
  std::atomic<std::int64_t> waiting_{0};
  std::map<std::string, Topic, std::less<>> topics_;
  std::map<std::uint64_t, Place> places_;
  std::map<std::string, std::set<std::int32_t>, std::less<>> arrived_;
  std::map<std::uint64_t, std::thread::id> running_;
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stub::store
