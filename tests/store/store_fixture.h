// SPDX-License-Identifier: Apache-2.0
// What the store's tests share: a directory that goes away, a log with its index in it, and the
// state that a kill -9 would leave.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ha/plugin.h"
#include "store/commit_log.h"
#include "store/index.h"

namespace stub::store {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Small, so that a test fills several: three records of 1000-byte bodies and a blank one.
inline constexpr std::int64_t kTestSegment = 4096;

LogOptions test_options(const std::string& dir, std::int64_t segment_bytes = kTestSegment);

// An open store. The index must outlive the log.
struct Store {
  Index index;
  std::unique_ptr<CommitLog> log;

  // The error, or none.
  std::optional<Error> open(LogOptions options);
  void open_or_die(LogOptions options);
  void close() { log.reset(); }

  Appended put(const std::string& topic, const std::string& body, int queue = 0,
               const Properties& properties = {});
  std::string bytes() const;  // of the whole log
  std::vector<std::string> bodies(const std::string& topic,
                                  std::optional<int> queue = std::nullopt);
};

// A master's log with messages over several segments, as raw bytes.
std::string sample_log(int messages, std::size_t body_bytes = 300,
                       std::int64_t segment_bytes = kTestSegment);

// What stands in the files now, as a process that is killed now would leave it.
void copy_store(const std::string& from, const std::string& to);

std::string slurp(const std::string& path);
// Writes bytes over a file's at a position.
void patch(const std::string& path, std::int64_t at, const std::string& bytes);
std::string segment_path(const std::string& dir, std::int64_t base);

// No file of this process may be written beyond a size while this lives: a write that crosses it
// ends there, and the next one fails, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &old_), 0);
    rlimit now = old_;
    now.rlim_cur = bytes;
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &now), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_signal_);
  }

 private:
  rlimit old_{};
  void (*old_signal_)(int) = nullptr;
};

// Waits until true; a failure of the test after 20 s.
bool eventually(const std::function<bool()>& condition);

}  // namespace stub::store
