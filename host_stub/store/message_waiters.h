// SPDX-License-Identifier: Apache-2.0
// Long polls: those who wait for a topic to have a message at or above their cursor.
//
// arrived only notes the topic and hands over to a thread of its own: it is called under the log's
// append lock, and what a waiter does when it wakes is a stranger's code.
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

  void arrived(std::string_view topic);
  // Wakes everybody; later waiters are woken at once.
  void stop();

 private:
  struct Waiter {
    std::optional<std::int32_t> queue;
    std::int64_t cursor = 0;
    std::function<void()> wake;
  };
  void run();
  void wake_satisfied(std::unique_lock<std::mutex>& lock, const std::string& topic, bool all);

  const Reaches reaches_;
  std::mutex mutex_;
  std::condition_variable changed_;   // the thread's
  std::condition_variable finished_;  // cancel's
  std::atomic<std::int64_t> waiting_{0};
  std::map<std::string, std::map<std::uint64_t, Waiter>, std::less<>> by_topic_;
  std::map<std::uint64_t, std::string> topic_of_;
  std::set<std::string, std::less<>> arrived_;
  std::map<std::uint64_t, std::thread::id> running_;
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stub::store
