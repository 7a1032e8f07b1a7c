// SPDX-License-Identifier: Apache-2.0
#include "broker/broker_log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

namespace stub {
namespace {

std::atomic<std::int64_t> dropped{0};

std::string_view colour_of(spdlog::level::level_enum level) {
  return level >= spdlog::level::err    ? "\033[31m"
         : level >= spdlog::level::warn ? "\033[33m"
                                        : "\033[32m";
}

class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  Sink(std::shared_ptr<LineWriter> writer, bool coloured)
      : writer_(std::move(writer)), coloured_(coloured) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    note_lost();
    // The note stands where the gap is, so nothing may go before it.
    if (unsaid_ > 0 && write({message.time,
                              {},
                              message.logger_name,
                              spdlog::level::warn,
                              std::to_string(unsaid_) +
                                  " lines of this log were dropped: nobody read them in time"})) {
      unsaid_ = 0;
    }
    if (unsaid_ > 0 || !write(message)) drop(1);
  }
  void flush_() override {}

  bool write(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string text(line.data(), line.size());
    if (coloured_ && message.color_range_end > message.color_range_start) {
      text.insert(message.color_range_end, "\033[m");
      text.insert(message.color_range_start, colour_of(message.level));
    }
    return writer_->push(text);
  }
  void note_lost() {
    const std::int64_t lost = writer_->lost();
    drop(lost - lost_);
    lost_ = lost;
  }
  void drop(std::int64_t lines) {
    unsaid_ += lines;
    dropped += lines;
  }

  const std::shared_ptr<LineWriter> writer_;
  const bool coloured_;
  std::int64_t unsaid_ = 0;  // dropped, and not told yet
  std::int64_t lost_ = 0;    // of those that the writer had taken
};

}  // namespace

BrokerLog::BrokerLog(const std::string& level, int fd, std::size_t most_bytes)
    : writer_(std::make_shared<LineWriter>(fd, most_bytes)) {
  auto logger = std::make_shared<spdlog::logger>(
      "ha_stub", std::make_shared<Sink>(writer_, ::isatty(fd) != 0));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

BrokerLog::~BrokerLog() { writer_->stop(kLeave); }

void BrokerLog::say(const std::string& text) { writer_->push(text + "\n"); }

std::int64_t dropped_log_lines() { return dropped.load(); }

}  // namespace stub
