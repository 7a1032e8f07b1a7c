// SPDX-License-Identifier: Apache-2.0
// Looks at the calls by which this program changes files, and lets them fail. The program's own
// write, pwrite, fsync, fdatasync, rename and unlink stand before the C library's and call them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace stub::test {

// Asked before each of those calls, on the thread that makes it, and once more in the middle of a
// write: what lies on disk then is what a kill at that moment leaves. 0 = go on; otherwise the call
// fails with this errno, in the middle of a write after half of it. Calls that the hook itself
// makes are not looked at.
using FileCallHook = std::function<int(const std::string& call)>;

// One at a time.
class FileCalls {
 public:
  explicit FileCalls(FileCallHook hook);
  ~FileCalls();
  FileCalls(const FileCalls&) = delete;
  FileCalls& operator=(const FileCalls&) = delete;

  std::int64_t bytes_written() const;  // to files, since it was made
};

}  // namespace stub::test
