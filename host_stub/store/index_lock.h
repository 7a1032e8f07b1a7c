// SPDX-License-Identifier: Apache-2.0
// The index's mutex, taken on the log's behalf: walks see that somebody waits, and give way.
#pragma once

#include "store/index.h"

namespace stub::store {

class Index::LogLock {
 public:
  explicit LogLock(Index& index) : index_(index) {
    index_.log_waits_.fetch_add(1);
    index_.mutex_.lock();
    index_.log_waits_.fetch_sub(1);
  }
  ~LogLock() { index_.mutex_.unlock(); }
  LogLock(const LogLock&) = delete;
  LogLock& operator=(const LogLock&) = delete;

 private:
  Index& index_;
};

}  // namespace stub::store
