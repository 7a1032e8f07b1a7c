// SPDX-License-Identifier: Apache-2.0
// `ha_stub promote`, `demote` and `follow`: the broker takes another role.

#include <fmt/format.h>

#include "cli/broker_client.h"
#include "cli/commands.h"
#include "cli/promotion.h"

namespace stub::cli {
namespace {

struct PromoteOptions {
  BrokerFlags broker;
  std::vector<std::string> peers;
  bool force = false;
};

int run_promote(const PromoteOptions& options) {
  const auto done =
      promote(options.broker.url, options.peers, options.force, options.broker.access);
  if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
  const auto& promotion = std::get<Promotion>(done);
  for (const auto& note : promotion.notes) complain(note);
  fmt::print("{} is master now; it holds whole records up to {}\n", options.broker.url,
             promotion.whole_end);
  if (!promotion.text.empty()) fmt::print("{}\n", promotion.text);
  return kExitOk;
}

struct FollowOptions {
  BrokerFlags broker;
  std::string master;
};

int run_demote(const BrokerFlags& broker) {
  auto opened = open_client(broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  const auto done = std::get<BrokerClient>(opened).demote();
  if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
  fmt::print("{} is a slave without a master now\n", broker.url);
  return kExitOk;
}

int run_follow(const FollowOptions& options) {
  auto opened = open_client(options.broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  const auto done = std::get<BrokerClient>(opened).follow(options.master);
  if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
  fmt::print("{} follows {} now\n", options.broker.url, options.master);
  return kExitOk;
}

}  // namespace

void add_promote(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PromoteOptions>();
  auto* command = add_client(app, "promote", "Make a broker the master", options->broker);
  command
      ->add_option("--peers", options->peers,
                   "ask these first; refuse when one of them holds more whole records")
      ->type_name("URL,...")
      ->delimiter(',');
  command->add_flag("--force", options->force,
                    "in a set of --replicas: without the promises of enough other nodes; what was "
                    "acknowledged and only they hold is lost");
  command->callback([options, &exit_code] { exit_code = run_promote(*options); });
}

void add_demote(CLI::App& app, int& exit_code) {
  auto broker = std::make_shared<BrokerFlags>();
  add_client(app, "demote", "Make a broker a slave without a master", *broker)
      ->callback([broker, &exit_code] { exit_code = run_demote(*broker); });
}

void add_follow(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<FollowOptions>();
  auto* command = add_client(app, "follow", "Make a broker the slave of a master", options->broker);
  command->add_option("--master", options->master, "the master's HA address")
      ->type_name("ADDR:PORT")
      ->required();
  command->callback([options, &exit_code] { exit_code = run_follow(*options); });
}

}  // namespace stub::cli
