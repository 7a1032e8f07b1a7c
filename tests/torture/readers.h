// SPDX-License-Identifier: Apache-2.0
// A consumer beside each node. What a reader has been shown is for good: the message at a log
// offset is the same on every node and at every later time, whatever becomes of masters. No queue
// has a gap, except for what the reader was told it skipped.
//
// Threads: its own; the object is used by the run's first thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/system/json.h"
#include "tests/torture/client.h"

namespace ha::torture {

class Readers {
 public:
  Readers(std::vector<Endpoint> nodes, std::vector<std::string> names);
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // The first contradiction that a reader met; "" = none.
  std::string wrong() const;
  std::uint64_t read() const { return read_; }
  // How often a node showed less than before: its bound is behind for a while after a restart.
  std::uint64_t went_back() const { return went_back_; }
  // How often a reader was told that it skipped something.
  std::uint64_t skips() const { return skips_; }

 private:
  // Where one reader stands.
  struct Place {
    std::int64_t cursor = 0;
    std::map<std::int64_t, std::int64_t> queues;  // the queue offset that is due in each
  };
  void work(std::size_t node);
  // Moves the place behind what the answer has.
  void take(std::size_t node, Place& place, const std::string& body);
  void take_message(std::size_t node, Place& place, const system::json::value& message);
  void complain(const std::string& text);

  struct Seen {
    std::int64_t queue = -1;
    std::int64_t queue_offset = -1;
    std::uint64_t hash = 0;
    std::uint8_t by = 0;
  };
  const std::vector<Endpoint> nodes_;
  const std::vector<std::string> names_;
  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, Seen> seen_;  // by log offset
  std::string wrong_;
  std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> went_back_{0};
  std::atomic<std::uint64_t> skips_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace ha::torture
