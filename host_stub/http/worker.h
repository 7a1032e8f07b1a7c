// SPDX-License-Identifier: Apache-2.0
// One thread for requests that may block for long (promote, follow, options, offsets that go to
// disk), so that the I/O threads never do. One is enough: such requests are rare and change one
// broker.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace stub::http {

class Worker {
 public:
  // More than this many waiting means that an operation hangs; the next ones are refused at once.
  static constexpr std::size_t kMaxWaiting = 64;

  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False when too many wait or the worker stops: the task will not run. Any thread.
  bool post(std::function<void()> task);

  // Stops taking tasks and returns when those taken have run.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stub::http
