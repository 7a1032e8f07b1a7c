// SPDX-License-Identifier: Apache-2.0
// What a reader did not get, in words: retention took messages that it had not read, or its cursor
// lies beyond the end.
//
// In a whole topic the broker can only say which part of the log is gone. How many messages that
// is shows queue by queue, as soon as each brings its next one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/broker.h"

namespace stub::cli {

class SkipReport {
 public:
  explicit SkipReport(std::optional<int> queue) : queue_(queue) {}

  // Lines to print before the page's messages. asked: the cursor of the question; none at first.
  std::vector<std::string> on_page(std::optional<std::int64_t> asked, const ConsumeResult& page);
  // A line to print before the message, or "".
  std::string on_message(const Message& message);

 private:
  const std::optional<int> queue_;
  std::map<int, std::int64_t> expected_;  // queue offset of each queue's next message
  std::set<int> unsure_;                  // queues that have brought nothing since the last skip
  bool from_the_first_ = false;           // the reader began where the log did, ever
  bool begun_ = false;
  bool skipped_ = false;
  bool beyond_ = false;
};

}  // namespace stub::cli
