// SPDX-License-Identifier: Apache-2.0
// Keeps in a file what is about to be cut off the log: somebody may want to know what a master took
// that no other node ever held.
//
// A short range is copied at once. A long one would keep the I/O thread from its connections for as
// long as the disk takes, so it is copied on a thread of its own, and a caller that asks again for
// the same range is told how far that is. The log must not change meanwhile: nothing is followed.
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

namespace ha::net {

class CutCopy {
 public:
  explicit CutCopy(const Host& host) : host_(host) {}
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

 private:
  std::string write(core::Offset begin, core::Offset end, const std::string& directory,
                    const std::string& path) const;

  const Host& host_;
  std::string path_;  // what the thread copies to, or has; "" = nothing
  std::string failed_;
  std::atomic<bool> ended_{false};  // the thread's last word: failed_ may be read
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ha::net
