// SPDX-License-Identifier: Apache-2.0
// What the demo shows while it runs: a bar with rate, acknowledgement times and each replica's lag,
// drawn by a thread of its own, which asks the master for its status.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "cli/progress.h"
#include "demo/feeder.h"

namespace stub::demo {

class View {
 public:
  // The feeder outlives the view.
  View(const Feeder& feeder, bool quiet);
  ~View();
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  // Whom to ask; "" = no node is master.
  void set_master(std::string url);
  // A sentence that stays, with the time since the start.
  void say(const std::string& text);
  // Stops drawing.
  void finish();

 private:
  void run();
  std::string line(const std::string& lag);
  std::string ask_lag(const std::string& url) const;

  const Feeder& feeder_;
  const bool quiet_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string master_;
  bool finished_ = false;
  cli::Progress progress_;  // under mutex_
  std::int64_t last_settled_ = 0;
  std::chrono::steady_clock::time_point last_time_ = start_;
  double rate_ = 0;
  std::thread thread_;
};

}  // namespace stub::demo
