// SPDX-License-Identifier: Apache-2.0
// Producers that send numbered messages to whoever takes them, and note what they were told.
//
// Threads: its own; the object is used by the run's first thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/torture/client.h"
#include "tests/torture/ledger.h"

namespace ha::torture {

// When acknowledgements came, and how long none did.
class AckClock {
 public:
  void on_ack();
  // From here on, as if one had come just now.
  void restart();
  std::size_t acks() const { return acks_; }
  // The longest time without one since restart, until now.
  Milliseconds longest_gap() const;

 private:
  mutable std::mutex mutex_;
  system::Clock::time_point last_ = system::Clock::now();
  system::Clock::duration longest_{};
  std::atomic<std::size_t> acks_{0};
};

class Producers {
 public:
  Producers(std::vector<Endpoint> nodes, Ledger& ledger, int count);
  ~Producers();
  Producers(const Producers&) = delete;
  Producers& operator=(const Producers&) = delete;

  // Returns when no request is on its way.
  void pause();
  void resume();
  AckClock& clock() { return clock_; }
  // Requests by what became of them: "OK", "NOT_MASTER", "no answer".
  std::map<std::string, std::size_t> answers() const;

 private:
  void work(int number);
  bool wait_while_paused();
  // The fate of the lines, and its word.
  Fate send(Client& client, const std::string& target, const std::string& lines, std::string& word,
            Range& place);

  const std::vector<Endpoint> nodes_;
  Ledger& ledger_;
  AckClock clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool paused_ = true;
  bool stopping_ = false;
  int busy_ = 0;
  std::map<std::string, std::size_t> answers_;
  std::vector<std::thread> threads_;
};

}  // namespace ha::torture
