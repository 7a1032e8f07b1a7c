// SPDX-License-Identifier: Apache-2.0
#include "demo/verdict.h"

#include <charconv>

#include "ha/plugin.h"

namespace stub::demo {
namespace {

constexpr std::int64_t kMessagesPerRead = 5000;

}  // namespace

Result<Verdict> judge(const std::string& broker_url, const Input& input, const Feeder& feeder,
                      const Interrupt& interrupt) {
  auto opened = cli::BrokerClient::open(broker_url);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& client = std::get<cli::BrokerClient>(opened);
  Verdict out{.lines = input.lines(),
              .acknowledged = feeder.acknowledged(),
              .survived = feeder.survived(),
              .sent_again = feeder.sent_again()};
  std::vector<bool> seen(static_cast<std::size_t>(input.lines()), false);
  ConsumeQuery query;
  query.topic = kTopic;
  query.max = kMessagesPerRead;
  while (true) {
    if (interrupt.raised()) return Error{HA_SHUTDOWN, 0, "interrupted"};
    auto page = client.consume(query);
    if (auto* error = std::get_if<Error>(&page)) return std::move(*error);
    const auto& got = std::get<ConsumeResult>(page);
    if (got.messages.empty()) break;
    for (const auto& message : got.messages) {
      ++out.read;
      std::int64_t line = -1;
      const char* end = message.key.data() + message.key.size();
      const auto parsed = std::from_chars(message.key.data(), end, line);
      if (parsed.ptr != end || line < 0 || line >= input.lines()) {
        ++out.strangers;
        continue;
      }
      if (message.body != input.line(line)) ++out.differ;
      const auto place = static_cast<std::size_t>(line);
      out.duplicated += seen[place] ? 1 : 0;
      out.found += seen[place] ? 0 : 1;
      seen[place] = true;
    }
    query.from = got.next;
  }
  for (std::int64_t line = 0; line < input.lines(); ++line) {
    if (seen[static_cast<std::size_t>(line)]) continue;
    (feeder.fate(line) == Feeder::Fate::kAcknowledged ? out.lost : out.missing) += 1;
  }
  return out;
}

}  // namespace stub::demo
