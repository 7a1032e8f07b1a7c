// SPDX-License-Identifier: Apache-2.0
#include "demo/feeder.h"

#include <charconv>
#include <deque>

#include "cli/batch_sender.h"
#include "ha/plugin.h"
#include "http/text.h"

namespace stub::demo {
namespace {

// Enough in flight to keep the nodes busy, also where each hop between processes waits for a core;
// little enough that a latency means something.
constexpr std::size_t kBatchLines = 500;
constexpr std::size_t kBatchBytes = std::size_t{1} << 20;
constexpr std::size_t kBatchesInFlight = 4;
constexpr std::int64_t kAckTimeoutMs = 5000;
constexpr std::int64_t kPage = 5000;

Error interrupted() { return Error{HA_SHUTDOWN, 0, "interrupted"}; }

}  // namespace

Feeder::Feeder(const Input& input, const Interrupt& interrupt)
    : input_(input),
      interrupt_(interrupt),
      fates_(static_cast<std::size_t>(input.lines()), Fate::kOpen) {}

Feeder::Snapshot Feeder::progress() const {
  const std::lock_guard lock(mutex_);
  return {settled_, input_.lines(), latency_.percentile(0.5), latency_.percentile(0.99)};
}

std::int64_t Feeder::next_batch(http::ClientRequest& request, std::vector<std::int64_t>& lines) {
  lines.clear();
  request.body = "{\"messages\":[";
  for (; next_ < input_.lines() && lines.size() < kBatchLines && request.body.size() < kBatchBytes;
       ++next_) {
    if (fate(next_) != Fate::kOpen) continue;
    const auto line = input_.line(next_);
    request.body += lines.empty() ? "{\"key\":\"" : ",{\"key\":\"";
    request.body += std::to_string(next_);
    request.body += http::is_utf8(line)
                        ? "\",\"body\":" + http::json_string(line)
                        : "\",\"body_base64\":\"" + http::base64_encode(line) + "\"";
    request.body += "}";
    if (next_ < sent_up_to_) ++sent_again_;
    lines.push_back(next_);
  }
  request.body += "]}";
  sent_up_to_ = std::max(sent_up_to_, next_);
  return static_cast<std::int64_t>(lines.size());
}

Result<std::monostate> Feeder::feed(const std::string& master_url, std::int64_t mark,
                                    const std::function<void()>& at_mark) {
  auto opened = cli::BrokerClient::open(master_url);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  cli::BatchSender sender(std::get<cli::BrokerClient>(opened).connection(), kAckTimeoutMs);
  http::ClientRequest request{.method = "POST",
                              .target = std::string("/v1/topics/") + kTopic +
                                        "/messages?acks=" + std::to_string(kAcks) +
                                        "&timeout_ms=" + std::to_string(kAckTimeoutMs)};
  std::deque<std::vector<std::int64_t>> in_flight;
  bool marked = false;
  next_ = first_open();
  while (true) {
    if (interrupt_.raised()) return interrupted();
    std::vector<std::int64_t> lines;
    if (in_flight.size() < kBatchesInFlight && next_batch(request, lines) > 0) {
      const auto count = static_cast<std::int64_t>(lines.size());
      auto sent = sender.send(request, lines.front(), count);
      if (auto* error = std::get_if<Error>(&sent)) return std::move(*error);
      in_flight.push_back(std::move(lines));
      continue;
    }
    if (in_flight.empty()) return std::monostate{};
    auto outcome = sender.receive();
    if (auto* error = std::get_if<Error>(&outcome)) return std::move(*error);
    const auto& batch = std::get<cli::BatchOutcome>(outcome);
    if (!batch.acknowledged) return Error{HA_IO, 0, batch.text};
    for (const auto line : in_flight.front()) {
      fates_[static_cast<std::size_t>(line)] = Fate::kAcknowledged;
    }
    in_flight.pop_front();
    acknowledged_ += batch.count;
    {
      const std::lock_guard lock(mutex_);
      settled_ = acknowledged_ + survived_;
      latency_.add(batch.us, batch.count);
    }
    if (!marked && acknowledged_ + survived_ >= mark) {
      marked = true;
      at_mark();
    }
  }
}

std::int64_t Feeder::first_open() const {
  std::int64_t line = 0;
  while (line < input_.lines() && fate(line) != Fate::kOpen) ++line;
  return line;
}

Result<std::int64_t> Feeder::find_survivors(const std::string& master_url) {
  auto opened = cli::BrokerClient::open(master_url);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& client = std::get<cli::BrokerClient>(opened);
  std::int64_t found = 0;
  ConsumeQuery query;
  query.topic = kTopic;
  query.max = kPage;
  while (true) {
    if (interrupt_.raised()) return interrupted();
    auto page = client.consume(query);
    if (auto* error = std::get_if<Error>(&page)) return std::move(*error);
    const auto& got = std::get<ConsumeResult>(page);
    if (got.messages.empty()) break;
    for (const auto& message : got.messages) {
      std::int64_t line = -1;
      std::from_chars(message.key.data(), message.key.data() + message.key.size(), line);
      if (line < 0 || line >= input_.lines() || fate(line) != Fate::kOpen) continue;
      fates_[static_cast<std::size_t>(line)] = Fate::kSurvived;
      ++found;
    }
    query.from = got.next;
  }
  survived_ += found;
  const std::lock_guard lock(mutex_);
  settled_ = acknowledged_ + survived_;
  return found;
}

}  // namespace stub::demo
