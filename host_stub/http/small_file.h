// SPDX-License-Identifier: Apache-2.0
// Files that an operator names and may change while the broker runs: tokens, certificates, keys.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "broker/broker.h"

namespace stub::http {

struct SmallFile {
  std::size_t max_bytes;
  mode_t closed_to;      // who may not touch it, as bits of its mode
  const char* expected;  // "one token a line"
  const char* create;    // how to make one; "" = not said
};

// The content of a regular file. Errors begin with `what`, the flag or option that names it.
Result<std::string> read_small_file(const std::string& path, std::string_view what,
                                    const SmallFile& rules);

// An Error about a file's content.
Error bad_file(std::string_view what, const std::string& path, const std::string& why);

// Which content a path has, as far as can be seen without reading it.
class FileStamp {
 public:
  FileStamp() = default;
  explicit FileStamp(const std::string& path);

  bool operator==(const FileStamp& other) const;

  // False while the file may change without its stamp: the kernel's clock for a file's times ticks
  // every few milliseconds.
  bool settled() const;

 private:
  int error_ = -1;  // of stat; 0 = the rest holds
  struct stat file_ {};
};

}  // namespace stub::http
