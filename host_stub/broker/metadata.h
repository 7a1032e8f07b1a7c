// SPDX-License-Identifier: Apache-2.0
// What slaves are told beside the log (extension metadata): consumers' offsets, and for a while
// after a slave has joined where queues go on of which its log may hold nothing.
//
//   {"offsetTable":{...},"queueOffsets":{...}}
//
// An older node takes the first and ignores the second. A table that does not fit is left out: a
// slave without it begins such queues at a number that none can have reached.
//
// Threads: the plugin's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/group_offsets.h"
#include "store/commit_log.h"
#include "store/index.h"

namespace stub {

// The table of queues goes over with every change of the groups' offsets, so not for ever.
inline constexpr std::chrono::seconds kTellQueuesFor{60};

class Metadata {
 public:
  Metadata(const store::CommitLog& log, store::Index& index, GroupOffsets& groups)
      : log_(log), index_(index), groups_(groups) {}

  // A slave came whose log may begin at the last segment.
  void on_joined();

  std::uint64_t version() const { return groups_.version() + joined_; }
  std::string read();
  // Of this node's master.
  std::optional<Error> write(std::string_view state);

 private:
  const store::CommitLog& log_;
  store::Index& index_;
  GroupOffsets& groups_;
  std::atomic<std::uint64_t> joined_{0};
  std::uint64_t told_ = 0;  // the value of joined_ for which queues_ was made
  std::string queues_;
  std::chrono::steady_clock::time_point tell_until_;
};

}  // namespace stub
