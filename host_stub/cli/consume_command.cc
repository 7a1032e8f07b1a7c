// SPDX-License-Identifier: Apache-2.0
// `ha_stub consume`: bodies, a line each.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/broker_client.h"
#include "cli/commands.h"
#include "cli/node_finder.h"
#include "cli/skip_report.h"
#include "ha/plugin.h"
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

// Pages, one after the other, from whichever broker answers: a cursor means the same on each.
class Reader {
 public:
  Reader(const ConsumeOptions& options, NodeFinder& finder)
      : options_(options),
        finder_(finder),
        left_(options.max.value_or(INT64_MAX)),
        skips_(options.queue) {
    query_.topic = options.topic;
    query_.queue = options.queue;
    query_.from = options.from;
  }

  int run() {
    while (left_ > 0 && !ended_) {
      query_.max = std::min(left_, kPageMessages);
      const auto page = finder_.node().consume(query_, options_.follow ? kFollowWaitMs : 0);
      const auto* error = std::get_if<Error>(&page);
      const int code =
          error != nullptr ? go_elsewhere(*error) : take(std::get<ConsumeResult>(page));
      if (code != kExitOk) return code;
    }
    return kExitOk;
  }

 private:
  int take(const ConsumeResult& got) {
    if (!stop_at_) stop_at_ = got.end;
    for (const auto& line : skips_.on_page(query_.from, got)) complain(line);
    for (const auto& message : got.messages) {
      const std::int64_t at = options_.queue ? message.queue_offset : message.offset;
      ended_ = !options_.follow && at >= *stop_at_;
      if (ended_) return kExitOk;
      if (const auto line = skips_.on_message(message); !line.empty()) complain(line);
      if (!print(message, options_.json)) return complain("cannot write to standard output");
      --left_;
    }
    query_.from = got.next;
    if (std::fflush(stdout) != 0) return complain("cannot write to standard output");
    if (options_.follow || !got.messages.empty()) finder_.succeeded();
    if (options_.follow || (!got.messages.empty() && got.next < *stop_at_)) return kExitOk;
    // A slave that is behind the node that was asked first.
    if (finder_.retries() && got.end < *stop_at_) {
      return go_elsewhere({HA_AGAIN, 0,
                           fmt::format("it ends at {}, and the broker that was asked first at {}",
                                       got.end, *stop_at_)});
    }
    ended_ = true;
    return kExitOk;
  }

  int go_elsewhere(const Error& error) {
    if (!finder_.retries() || !BrokerClient::may_pass(error)) return complain(error.text);
    const auto found = finder_.next(error.text);
    const auto* none = std::get_if<Error>(&found);
    return none != nullptr ? complain(none->text) : kExitOk;
  }

  const ConsumeOptions& options_;
  NodeFinder& finder_;
  ConsumeQuery query_;
  std::int64_t left_;
  std::optional<std::int64_t> stop_at_;  // without --follow: where it ended at the first look
  SkipReport skips_;
  bool ended_ = false;
};

int run_consume(const ConsumeOptions& options) {
  auto finder = open_finder(options.broker);
  if (const auto* error = std::get_if<Error>(&finder)) return complain(error->text);
  return Reader(options, std::get<NodeFinder>(finder)).run();
}

}  // namespace

void add_consume(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ConsumeOptions>();
  auto* command = add_list_client(app, "consume", "Print messages, a line each", options->broker);
  add_failover(*command, options->broker);
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
