// SPDX-License-Identifier: Apache-2.0
// Producers that go on until they are told to stop, and remember what they were told about each
// line.
//
// Threads: its own; the object is used by one thread at a time. Results are for after stop.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/node.h"

namespace ha::system {

struct LoadOptions {
  std::string topic = "T";
  std::string acks = "2";
  int threads = 2;
  int lines_per_request = 4;
  std::size_t line_size = 400;
  std::int64_t timeout_ms = 5000;
};

class Load {
 public:
  // Produces into whichever node `target` names; aim changes it.
  explicit Load(const Node& target, LoadOptions options = {});
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void aim(const Node& target);
  std::size_t acknowledged_so_far() const { return acknowledged_count_; }
  // Waits until that many more lines were acknowledged.
  void wait_for_more(std::size_t lines) const;
  void stop();

  const std::vector<std::string>& acknowledged() const { return acknowledged_; }
  // Answers by their code: "OK", "NOT_MASTER", ...; "no answer" = the connection broke.
  const std::map<std::string, std::size_t>& answers() const { return answers_; }

 private:
  struct Target {
    Address address;
    int network = -1;
  };
  void work(int number);
  Target target() const;

  const LoadOptions options_;
  mutable std::mutex mutex_;
  Target target_;
  std::atomic<std::uint64_t> aims_{0};
  std::atomic<std::size_t> acknowledged_count_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::string> acknowledged_;
  std::map<std::string, std::size_t> answers_;
  std::vector<std::thread> threads_;
};

// Producers whose four waits are pending, because the master's one slave is suspended.
std::unique_ptr<Load> four_waits(Node& master, Node& slave);

}  // namespace ha::system
