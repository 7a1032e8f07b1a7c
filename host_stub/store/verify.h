// SPDX-License-Identifier: Apache-2.0
// Walks a store's log without changing it: every record, every checksum.
//
// It takes no lock, so it also looks at a store that is open; it then counts up to the end that
// DIR/commit_mark named when it began.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "store/error.h"

namespace stub::store {

struct VerifyReport {
  std::int64_t segments = 0;
  std::int64_t segment_bytes = 0;
  std::int64_t begin = 0;  // offset of the first byte
  std::int64_t end = 0;    // end of the last whole record
  std::int64_t records = 0;
  std::int64_t blanks = 0;
  std::int64_t bytes = 0;       // of records and blanks
  std::int64_t tail_bytes = 0;  // of a record that has not fully arrived (a slave's last one)
  std::map<std::string, std::int64_t> topics;  // messages by topic
  struct Fault {
    std::int64_t offset = 0;
    std::string text;
  };
  std::optional<Fault> fault;  // the first one; nothing beyond it was looked at
};

// An Error means that the store could not be read at all.
Result<VerifyReport> verify(const std::string& store_dir);

}  // namespace stub::store
