// SPDX-License-Identifier: Apache-2.0
// The broker's own log: spdlog's default logger, whose lines a LineWriter carries to a stream. No
// caller of spdlog ever waits for that stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "broker/line_writer.h"

namespace stub {

class BrokerLog {
 public:
  // level: spdlog's name for it. fd: where the lines go.
  explicit BrokerLog(const std::string& level, int fd = 2,
                     std::size_t most_bytes = LineWriter::kMostBytes);
  // Gives the stream this long to take what is left; from then on lines go nowhere.
  ~BrokerLog();
  BrokerLog(const BrokerLog&) = delete;
  BrokerLog& operator=(const BrokerLog&) = delete;

  // A line as it is, without time and level.
  void say(const std::string& text);

 private:
  static constexpr std::chrono::milliseconds kLeave{1000};
  std::shared_ptr<LineWriter> writer_;
};

// Lines that no stream took since this process began.
std::int64_t dropped_log_lines();

}  // namespace stub
