// SPDX-License-Identifier: Apache-2.0
// `ha_stub consume`: bodies, a line each.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/broker_client.h"
#include "cli/commands.h"
#include "cli/skip_report.h"
#include "http/text.h"

namespace stub::cli {
namespace {

struct ConsumeOptions {
  BrokerFlags broker;
  std::string topic;
  std::optional<int> queue;
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> max;
  bool follow = false;
  bool json = false;
};

// A page's bodies are bounded by the broker too.
constexpr std::int64_t kPageMessages = 1000;
// Below the broker's limit of a minute: then this side asks again.
constexpr std::int64_t kFollowWaitMs = 30'000;

bool print(const Message& message, bool json) {
  std::string line = message.body;
  if (json) {
    const auto text = [](std::string_view name, const std::string& bytes) {
      return http::is_utf8(bytes)
                 ? fmt::format(",\"{}\":{}", name, http::json_string(bytes))
                 : fmt::format(",\"{}_base64\":\"{}\"", name, http::base64_encode(bytes));
    };
    line = fmt::format(
        "{{\"offset\":{},\"queue\":{},\"queue_offset\":{},\"store_time_ms\":{}{}{}}}",
        message.offset, message.queue, message.queue_offset, message.store_time_ms,
        message.key.empty() ? "" : text("key", message.key), text("body", message.body));
  }
  line += '\n';
  return std::fwrite(line.data(), 1, line.size(), stdout) == line.size();
}

int run_consume(const ConsumeOptions& options) {
  auto opened = open_client(options.broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  auto& client = std::get<BrokerClient>(opened);
  ConsumeQuery query;
  query.topic = options.topic;
  query.queue = options.queue;
  query.from = options.from;
  std::int64_t left = options.max.value_or(INT64_MAX);
  std::optional<std::int64_t> stop_at;  // without --follow: where it ended at the first look
  SkipReport skips(options.queue);
  while (left > 0) {
    query.max = std::min(left, kPageMessages);
    const auto page = client.consume(query, options.follow ? kFollowWaitMs : 0);
    if (const auto* error = std::get_if<Error>(&page)) return complain(error->text);
    const auto& got = std::get<ConsumeResult>(page);
    if (!stop_at) stop_at = got.end;
    for (const auto& line : skips.on_page(query.from, got)) complain(line);
    for (const auto& message : got.messages) {
      const std::int64_t at = options.queue ? message.queue_offset : message.offset;
      if (!options.follow && at >= *stop_at) return kExitOk;
      if (const auto line = skips.on_message(message); !line.empty()) complain(line);
      if (!print(message, options.json)) return complain("cannot write to standard output");
      --left;
    }
    query.from = got.next;
    if (std::fflush(stdout) != 0) return complain("cannot write to standard output");
    if (!options.follow && (got.messages.empty() || got.next >= *stop_at)) break;
  }
  return kExitOk;
}

}  // namespace

void add_consume(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ConsumeOptions>();
  auto* command = add_client(app, "consume", "Print messages, a line each", options->broker);
  command->add_option("--topic", options->topic)->type_name("T")->required();
  command
      ->add_option("--queue", options->queue, "only this queue; default: all, in the log's order")
      ->check(whole_number(0, 65'535))
      ->type_name("Q");
  command
      ->add_option("--from", options->from,
                   "a cursor: with --queue a queue offset, else a log offset; default: the first "
                   "held")
      ->check(whole_number(0, INT64_MAX))
      ->type_name("N");
  command->add_option("--max", options->max, "stop after this many")
      ->check(whole_number(0, INT64_MAX))
      ->type_name("N");
  command->add_flag("--follow", options->follow, "wait for more at the end");
  command->add_flag("--json", options->json, "a JSON object a line, with offsets and keys");
  command->callback([options, &exit_code] { exit_code = run_consume(*options); });
}

}  // namespace stub::cli
