// SPDX-License-Identifier: Apache-2.0
// Keeps a state_dir to one running instance: two that write there forget each other's promises.
//
// The lock is flock's, on a file that stays: it goes with the process, however that ends. A process
// that was forked from the holder and runs no other program has it too, and so keeps the directory
// until it ends. The file has the holder's process id, for the message only.
//
// Threads: the control thread.
#pragma once

#include <string>

namespace ha {

class StateLock {
 public:
  StateLock() = default;
  ~StateLock() { release(); }
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;

  // "" or why not. REQUIRES: not held.
  std::string acquire(const std::string& directory);
  void release();

 private:
  int fd_ = -1;
};

}  // namespace ha
