// SPDX-License-Identifier: Apache-2.0
// `ha_stub produce`: a message a line.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/commands.h"
#include "cli/node_finder.h"
#include "cli/producer.h"
#include "http/api.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::cli {
namespace {

// As many as a topic's consumers could catch up with in seconds; beyond it only memory grows.
constexpr std::int64_t kMaxWindow = 1'000'000;

struct ProduceFlags {
  BrokerFlags broker;
  ProduceOptions what;
  std::string file = "-";
};

std::string check_acks(const std::string& text) {
  if (text == "all" || text == "quorum" || text == "async" || text == "default") return "";
  const auto number = http::parse_integer(text);
  if (number && *number >= 1 && *number <= INT32_MAX) return "";
  return http::in_quotes(text) +
         " must be a number of copies from 1 (2 waits for one slave), all, quorum or async";
}

int run_produce(const ProduceFlags& flags) {
  auto finder = open_finder(flags.broker);
  if (const auto* error = std::get_if<Error>(&finder)) return complain(error->text);
  int input = STDIN_FILENO;
  if (flags.file != "-") {
    input = ::open(flags.file.c_str(), O_RDONLY | O_CLOEXEC);
    if (input < 0) {
      return complain("cannot open '" + flags.file + "': " + std::strerror(errno) +
                      " (give a file that can be read, or - for standard input)");
    }
  }
  Producer producer(flags.what, std::get<NodeFinder>(finder), input);
  const bool all = producer.run();
  fmt::print("{}", producer.summary());
  if (input != STDIN_FILENO) ::close(input);
  return all ? kExitOk : kExitFailed;
}

}  // namespace

void add_produce(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ProduceFlags>();
  auto* command = add_list_client(app, "produce", "Send a message a line", options->broker);
  command->add_option("--topic", options->what.topic)->type_name("T")->required();
  command
      ->add_option("--acks", options->what.acks,
                   "copies, the master's included: 2 waits for one slave; default: the broker's "
                   "in_sync_replicas")
      ->type_name("N|all|quorum|async")
      ->check(check_acks);
  command->add_flag("--durable", options->what.durable, "copies have to survive a loss of power");
  command
      ->add_option("--timeout-ms", options->what.timeout_ms,
                   "how long a message may wait for its copies")
      ->check(whole_number(1, http::kMaxAckTimeoutMs))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--window", options->what.window, "messages in flight; 1 = one by one")
      ->check(whole_number(1, kMaxWindow))
      ->type_name("N")
      ->capture_default_str();
  add_failover(*command, options->broker);
  command->add_flag("--retry-unknown", options->what.retry_unknown,
                    "with several brokers: send lines again too whose outcome is open, after a "
                    "broken connection or a wait that ran out; they may be stored twice");
  command->add_option("file", options->file, "what to send; - = standard input")
      ->type_name("FILE|-");
  command->callback([options, &exit_code] { exit_code = run_produce(*options); });
}

}  // namespace stub::cli
