// SPDX-License-Identifier: Apache-2.0
// What slaves are told beside the log (extension metadata): consumers' offsets, where the master's
// clients find it (master_board.h), and for a while after a slave has joined where queues go on of
// which its log may hold nothing.
//
//   {"offsetTable":{...},"master":{...},"queueOffsets":{...}}
//
// An older node takes the first and ignores the others. A table that does not fit is left out: a
// slave without it begins such queues at a number that none can have reached.
//
// The master's end goes over once a second while it moves, with the rest, and less often where the
// rest is large.
//
// Threads: the plugin's. version and read on its I/O thread only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/group_offsets.h"
#include "broker/master_board.h"
#include "store/commit_log.h"
#include "store/index.h"

namespace stub {

// The table of queues goes over with every change of the groups' offsets, so not for ever.
inline constexpr std::chrono::seconds kTellQueuesFor{60};
// What the news of the master's end may cost on the way to each slave.
inline constexpr std::size_t kEndBytesPerSecond = 64 * 1024;

class Metadata {
 public:
  using Followed = std::function<std::string()>;  // the HA address of this node's master; "" = none

  Metadata(const store::CommitLog& log, store::Index& index, GroupOffsets& groups,
           MasterBoard& board, Followed followed)
      : log_(log), index_(index), groups_(groups), board_(board), followed_(std::move(followed)) {}

  // A slave came whose log may begin at the last segment.
  void on_joined();

  std::uint64_t version();
  std::string read();
  // Of this node's master.
  std::optional<Error> write(std::string_view state);

 private:
  void add(std::string& out, std::string_view member) const;

  const store::CommitLog& log_;
  store::Index& index_;
  GroupOffsets& groups_;
  MasterBoard& board_;
  const Followed followed_;
  std::atomic<std::uint64_t> joined_{0};
  std::uint64_t told_ = 0;  // the value of joined_ for which queues_ was made
  std::string queues_;
  std::chrono::steady_clock::time_point tell_until_;
  std::int64_t told_end_ = -1;
  std::uint64_t end_changes_ = 0;
  std::size_t told_bytes_ = 0;
  std::chrono::steady_clock::time_point end_told_;
};

}  // namespace stub
