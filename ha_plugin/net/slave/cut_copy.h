// SPDX-License-Identifier: Apache-2.0
// Keeps in a file what is about to be cut off the log: somebody may want to know what a master took
// that no other node ever held.
//
// A short range is copied at once. A long one would keep the I/O thread from its connections for as
// long as the disk takes, so it is copied on a thread of its own, and a caller that asks again for
// the same range is told how far that is. The log must not change meanwhile: nothing is followed.
//
// The newest is always kept whole: what was cut may be somebody's messages. Older ones make room
// for it, the oldest first, with a warning that names each. To refuse the cut instead would keep
// this node from being a copy, and what the set acknowledges now is worth more than what it cut
// before.
//
// Threads: the I/O thread; the copy of a long range on the thread "ha-cut-copy"; stop on the
// control thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class CutCopy {
 public:
  CutCopy(const Host& host, metrics::ClientMetrics& metrics) : host_(host), metrics_(metrics) {}
  ~CutCopy() { stop(); }
  CutCopy(const CutCopy&) = delete;
  CutCopy& operator=(const CutCopy&) = delete;

  enum class State { kDone, kUnderWay, kFailed };
  // [begin, end) of the log into that file of directory. failed: why, if it did.
  State copy(core::Offset begin, core::Offset end, const std::string& directory,
             const std::string& path, std::string& failed);
  // Gives up what is under way; returns when the host is not called any more.
  void stop();

  // Ranges up to there are copied at once: a tenth of a second of a slow disk.
  static constexpr std::int64_t kAtOnce = std::int64_t{8} << 20;

  // So much is kept, the newest included. A set cuts once or twice per failover, so that is the
  // last few; and a master that parts a slave's log again and again does not fill its disk.
  static constexpr std::size_t kMostFiles = 8;
  static constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;

 private:
  std::string write(core::Offset begin, core::Offset end, const std::string& directory,
                    const std::string& path) const;
  void make_room(const std::string& directory, const std::string& newest) const;

  const Host& host_;
  metrics::ClientMetrics& metrics_;
  std::string path_;  // what the thread copies to, or has; "" = nothing
  std::string failed_;
  std::atomic<bool> ended_{false};  // the thread's last word: failed_ may be read
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ha::net
