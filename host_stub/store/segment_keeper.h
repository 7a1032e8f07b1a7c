// SPDX-License-Identifier: Apache-2.0
// The background work on segments: the next one is made before it is needed, so that no producer
// waits for it. It also runs the upkeep: retention and digests.
//
// Threads: one of its own; take, want and discard from any, one at a time (the log's append lock).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "store/error.h"
#include "store/segment.h"

namespace stub::store {

// The upkeep also runs whenever a segment has filled; the timer is for messages that grow old.
inline constexpr std::int64_t kUpkeepPeriodMs = 10'000;

class SegmentKeeper {
 public:
  SegmentKeeper(std::string directory, std::int64_t segment_bytes, std::function<void()> upkeep,
                std::function<void(const Error&)> report);
  ~SegmentKeeper() { stop(); }

  void start();
  void stop();

  // The segment at base: the prepared one, or made now.
  Result<std::shared_ptr<Segment>> take(std::int64_t base);
  // Prepares the segment at base in the background. Failing is reported, and tried again by take.
  void want(std::int64_t base);
  // Runs the upkeep soon. From any thread.
  void look();
  // Forgets and removes what was prepared.
  void discard();

 private:
  void run();

  const std::string directory_;
  const std::int64_t segment_bytes_;
  const std::function<void()> upkeep_;
  const std::function<void(const Error&)> report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t wanted_ = -1;
  bool preparing_ = false;
  bool upkeep_due_ = false;
  bool stopping_ = false;
  std::shared_ptr<Segment> prepared_;
  std::thread thread_;
};

}  // namespace stub::store
