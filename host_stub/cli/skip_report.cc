// SPDX-License-Identifier: Apache-2.0
#include "cli/skip_report.h"

#include <fmt/format.h>

namespace stub::cli {
namespace {

std::string lost_line(int queue, std::int64_t from, std::int64_t to) {
  return fmt::format("skipped {} message{} of queue {} (queue offset{} {}{}), no longer held",
                     to - from, to - from == 1 ? "" : "s", queue, to - from == 1 ? "" : "s", from,
                     to - from == 1 ? "" : fmt::format(" to {}", to - 1));
}

}  // namespace

std::vector<std::string> SkipReport::on_page(std::optional<std::int64_t> asked,
                                             const ConsumeResult& page) {
  std::vector<std::string> lines;
  if (!std::exchange(begun_, true)) from_the_first_ = asked.value_or(page.first) == 0;
  if (page.skipped && queue_) {
    lines.push_back(lost_line(*queue_, page.skipped->from, page.skipped->to));
  } else if (page.skipped) {
    lines.push_back(
        fmt::format("skipped the log from {} to {}, which the broker no longer holds; the messages "
                    "are counted when their queues go on",
                    page.skipped->from, page.skipped->to));
    skipped_ = true;
    for (const auto& [queue, next] : expected_) unsure_.insert(queue);
  }
  const bool beyond = asked && *asked > page.end;
  if (beyond && !beyond_)
    lines.push_back(
        fmt::format("the cursor {} lies beyond {}, the end of what this node shows: it is behind, "
                    "or its log was cut. Nothing comes until it gets there (--from {} takes what "
                    "comes next)",
                    *asked, page.end, page.end));
  beyond_ = beyond;
  return lines;
}

std::string SkipReport::on_message(const Message& message) {
  if (queue_) return "";
  auto found = expected_.find(message.queue);
  bool unsure = unsure_.erase(message.queue) > 0;
  if (found == expected_.end()) {
    unsure = skipped_ && from_the_first_;
    found = expected_.emplace(message.queue, unsure ? 0 : message.queue_offset).first;
  }
  const std::int64_t expected = std::exchange(found->second, message.queue_offset + 1);
  // Without a skip a gap loses nothing: a batch of RocketMQ has several numbers.
  if (!unsure || message.queue_offset <= expected) return "";
  return lost_line(message.queue, expected, message.queue_offset);
}

}  // namespace stub::cli
