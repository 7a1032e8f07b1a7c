// SPDX-License-Identifier: Apache-2.0
// Sends the input's lines to the current master and keeps account of each: open, acknowledged, or
// found on a new master although its acknowledgement never came.
//
// Threads: one at a time; progress() on any.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "cli/broker_client.h"
#include "cli/latency.h"
#include "demo/input.h"
#include "demo/interrupt.h"

namespace stub::demo {

inline constexpr const char* kTopic = "demo";
// The master's copy and one slave's.
inline constexpr int kAcks = 2;

class Feeder {
 public:
  enum class Fate : std::uint8_t { kOpen, kAcknowledged, kSurvived };
  struct Snapshot {
    std::int64_t settled = 0;  // acknowledged or survived
    std::int64_t total = 0;
    std::int64_t p50_us = 0;
    std::int64_t p99_us = 0;
  };

  Feeder(const Input& input, const Interrupt& interrupt);

  // Sends every line that is open, in order. Calls at_mark once when that many are settled, with
  // requests in flight. Returns when all are settled, or an Error tells why it stopped; the fate of
  // what was in flight is open then, and find_survivors settles it.
  Result<std::monostate> feed(const std::string& master_url, std::int64_t mark,
                              const std::function<void()>& at_mark);

  // Asks the master which open lines it holds. Returns how many.
  Result<std::int64_t> find_survivors(const std::string& master_url);

  Fate fate(std::int64_t line) const { return fates_[static_cast<std::size_t>(line)]; }
  std::int64_t acknowledged() const { return acknowledged_; }
  std::int64_t survived() const { return survived_; }
  std::int64_t sent_again() const { return sent_again_; }
  bool done() const { return acknowledged_ + survived_ == input_.lines(); }
  Snapshot progress() const;

 private:
  std::int64_t next_batch(http::ClientRequest& request, std::vector<std::int64_t>& lines);
  std::int64_t first_open() const;

  const Input& input_;
  const Interrupt& interrupt_;
  std::vector<Fate> fates_;
  std::int64_t next_ = 0;        // the next line to send in this run of feed
  std::int64_t sent_up_to_ = 0;  // lines below have been sent at least once
  std::int64_t acknowledged_ = 0;
  std::int64_t survived_ = 0;
  std::int64_t sent_again_ = 0;

  mutable std::mutex mutex_;
  std::int64_t settled_ = 0;  // of acknowledged_ + survived_, for other threads
  cli::Latency latency_;
};

}  // namespace stub::demo
