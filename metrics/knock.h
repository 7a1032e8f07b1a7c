// Wakes a server that polls its listening socket and looks for its stop flag too seldom.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace ha::metrics {

// While it lives, a thread of its own keeps connecting to ip:port and hanging up. civetweb sets its
// stop flag inside the call that also waits, so there is no moment at which one connection would be
// sure to do. Throws std::system_error when there is no thread to be had.
class KnockUntilDone {
 public:
  KnockUntilDone(const std::string& ip, int port);
  ~KnockUntilDone();
  KnockUntilDone(const KnockUntilDone&) = delete;
  KnockUntilDone& operator=(const KnockUntilDone&) = delete;

 private:
  static constexpr std::chrono::milliseconds kKnockInterval{5};

  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace ha::metrics
