// SPDX-License-Identifier: Apache-2.0
// DIR/lock: one process at a time has a store open for writing. It is RocketMQ's lock too: the
// first byte of that file, so a broker of its and one of ours keep each other out.
#pragma once

#include <optional>
#include <string>

#include "store/error.h"
#include "store/file.h"

namespace stub::store {

class StoreLock {
 public:
  // HA_STATE, with the holder's process id when it left one, while another has the store open. The
  // system drops the lock when the process dies, however it dies.
  static Result<StoreLock> acquire(const std::string& store_dir);

  // Names this process as the holder.
  void sign();

 private:
  explicit StoreLock(Descriptor fd) : fd_(std::move(fd)) {}
  Descriptor fd_;
};

// True when RocketMQ was the last to lock the store: it writes "lock" there. What DIR/commit_mark
// says is older than what the log holds then.
bool last_held_by_rocketmq(const std::string& store_dir);

}  // namespace stub::store
