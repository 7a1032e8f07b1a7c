// A consumer beside each node. What a reader has been shown is for good: the message with a number
// is the same on every node and at every later time, whatever becomes of masters.
//
// Threads: its own; the object is used by the run's first thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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

 private:
  void work(std::size_t node);
  // The next number to ask for.
  std::int64_t take(std::size_t node, std::int64_t from, const std::string& body);
  void complain(const std::string& text);

  struct Seen {
    std::int64_t offset = -1;
    std::uint64_t hash = 0;
    std::uint8_t by = 0;
  };
  const std::vector<Endpoint> nodes_;
  const std::vector<std::string> names_;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;  // by number
  std::string wrong_;
  std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> went_back_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace ha::torture
