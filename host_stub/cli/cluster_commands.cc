// SPDX-License-Identifier: Apache-2.0
// `ha_stub switchover`, `pause`, `resume`, `cluster` and `members`: a set that has a coordinator.

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cli/broker_client.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "http/text.h"

namespace stub::cli {
namespace {

using Clock = std::chrono::steady_clock;

// The other node has to be asked, and to win, after this one has sent it all.
constexpr std::chrono::seconds kSwitchoverPatience{15};
constexpr std::chrono::milliseconds kLookAgain{50};

struct SwitchoverOptions {
  BrokerFlags broker;
  std::string to;
};

int run_switchover(const SwitchoverOptions& options) {
  auto opened = open_client(options.broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  auto& client = std::get<BrokerClient>(opened);
  const auto done = client.set_option("switchover", options.to);
  if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
  const auto patience = Clock::now() + kSwitchoverPatience;
  std::string holder;
  while (Clock::now() < patience) {
    const auto status = client.status();
    if (const auto* error = std::get_if<Error>(&status)) return complain(error->text);
    holder = std::get<NodeStatus>(status).coordinator.holder;
    if (holder == options.to) {
      fmt::print("{} holds the master's key now\n", options.to);
      return kExitOk;
    }
    std::this_thread::sleep_for(kLookAgain);
  }
  return complain(fmt::format("{} is not master after {} s, '{}' is: the logs of both say why",
                              http::in_quotes(options.to), kSwitchoverPatience.count(), holder));
}

int run_pause(const BrokerFlags& broker, bool pause) {
  auto opened = open_client(broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  const auto done = std::get<BrokerClient>(opened).set_option("pause", pause ? "true" : "false");
  if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
  fmt::print("failover is {} for the whole set\n", pause ? "paused" : "on");
  return kExitOk;
}

struct MembersOptions {
  BrokerFlags broker;
  std::string order;  // "add", "remove"; "" = show
  std::string node;
};

// Waits until the master says that the change is over, and shows what it waits for. The change goes
// on when this process ends.
int wait_for_set(BrokerClient& client, const MembersOptions& options, std::int64_t version) {
  std::string said;
  for (;;) {
    const auto status = client.status();
    if (const auto* error = std::get_if<Error>(&status)) return complain(error->text);
    const NodeStatus& node = std::get<NodeStatus>(status);
    const SetStatus& set = node.coordinator.set;
    if (set.version > version && !set.changing) {
      fmt::print("the set is {}\n", set.text);
      const std::string id = options.node.substr(0, options.node.find('@'));
      const bool there = std::find(set.nodes.begin(), set.nodes.end(), id) != set.nodes.end();
      if (there == (options.order == "add")) return kExitOk;
      return complain("another operator has changed the set meanwhile");
    }
    if (node.role != "master") {
      return complain(
          "this node is not master any more. The next master goes on with the change: "
          "ask it (ha_stub members)");
    }
    if (set.waits_for != said) {
      said = set.waits_for;
      if (!said.empty()) fmt::print(stderr, "it waits for {}\n", said);
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

int run_members(const MembersOptions& options) {
  auto opened = open_client(options.broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  auto& client = std::get<BrokerClient>(opened);
  if (!options.order.empty() && options.node.empty()) {
    return complain(fmt::format("'{}' which node? (see ha_stub members --help)", options.order));
  }
  const auto status = client.status();
  if (const auto* error = std::get_if<Error>(&status)) return complain(error->text);
  const CoordinatorStatus& engine = std::get<NodeStatus>(status).coordinator;
  if (!engine.configured) {
    return complain(
        "this node has no option 'coordinator': its set changes while all nodes are "
        "down, by option 'replicas'");
  }
  if (options.order.empty()) {
    fmt::print("the set is {}\n", engine.set.text);
    if (engine.set.changing) {
      fmt::print("it is changing{}\n", engine.set.waits_for.empty()
                                           ? ": the master says what it waits for"
                                           : ", and waits for " + engine.set.waits_for);
    }
    return kExitOk;
  }
  const auto done = client.set_option(options.order + "_member", options.node);
  if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
  return wait_for_set(client, options, engine.set.version);
}

std::string row(const NodeStatus& node, const std::string& url, std::int64_t end) {
  const bool master = node.role == "master";
  const auto& engine = node.coordinator;
  const std::string key = !engine.configured ? "no coordinator"
                          : !engine.answers  ? "the coordinator does not answer"
                          : engine.lease_left_ms > 0
                              ? "held, " + duration_text(engine.lease_left_ms * 1000) + " left"
                              : "";
  return fmt::format(
      "{:<32}{:<8}{:>8}{:>18}{:>12}{}{}\n", url, node.role, node.epoch, grouped(node.end),
      master || end < 0 ? "-" : bytes_text(std::max<std::int64_t>(0, end - node.end)),
      key.empty() ? "" : "  ", key);
}

int run_cluster(const BrokerFlags& broker) {
  auto opened = open_clients(broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  std::vector<std::pair<std::string, Result<NodeStatus>>> nodes;
  const NodeStatus* master = nullptr;
  for (auto& client : std::get<std::vector<BrokerClient>>(opened)) {
    nodes.emplace_back(client.url(), client.status());
  }
  const NodeStatus* any = nullptr;
  for (const auto& [url, status] : nodes) {
    const auto* node = std::get_if<NodeStatus>(&status);
    if (node == nullptr) continue;
    if (any == nullptr || node->coordinator.answers) any = node;
    if (node->role == "master" && (master == nullptr || node->epoch > master->epoch)) master = node;
  }
  fmt::print("{:<32}{:<8}{:>8}{:>18}{:>12}  {}\n", "broker", "role", "epoch", "log end", "behind",
             "key");
  bool all = true;
  for (const auto& [url, status] : nodes) {
    if (const auto* error = std::get_if<Error>(&status)) {
      fmt::print("{:<32}{}\n", url, error->text);
      all = false;
    } else {
      fmt::print("{}",
                 row(std::get<NodeStatus>(status), url, master != nullptr ? master->end : -1));
    }
  }
  // The master knows best who holds its key. Others have read that a moment ago.
  if (master != nullptr) any = master;
  if (any != nullptr && any->coordinator.configured) {
    fmt::print("holder     {}\nfailover   {}\n",
               any->coordinator.holder.empty() ? "nobody" : any->coordinator.holder,
               any->coordinator.paused ? "paused" : "on");
  }
  return all && master != nullptr ? kExitOk : kExitFailed;
}

}  // namespace

void add_switchover(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SwitchoverOptions>();
  auto* command =
      add_client(app, "switchover", "Make another node of the set the master, losing nothing",
                 options->broker);
  command->add_option("--to", options->to, "its replica id")->type_name("ID")->required();
  command->callback([options, &exit_code] { exit_code = run_switchover(*options); });
}

void add_pause(CLI::App& app, int& exit_code) {
  auto broker = std::make_shared<BrokerFlags>();
  add_client(app, "pause", "No failover in the whole set, for maintenance", *broker)
      ->callback([broker, &exit_code] { exit_code = run_pause(*broker, true); });
}

void add_resume(CLI::App& app, int& exit_code) {
  auto broker = std::make_shared<BrokerFlags>();
  add_client(app, "resume", "Failover again, after pause", *broker)->callback([broker, &exit_code] {
    exit_code = run_pause(*broker, false);
  });
}

void add_members(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<MembersOptions>();
  auto* command =
      add_client(app, "members", "Show the nodes of a set, add one or take one out, while it runs",
                 options->broker);
  auto* order = command->add_option("order", options->order, "without: show the set")
                    ->type_name("add|remove")
                    ->check(CLI::IsMember({"add", "remove"}));
  command->add_option("node", options->node, "to add: ID@HOST:PORT, to remove: ID")
      ->type_name("NODE")
      ->needs(order);
  command->callback([options, &exit_code] { exit_code = run_members(*options); });
}

void add_cluster(CLI::App& app, int& exit_code) {
  auto broker = std::make_shared<BrokerFlags>();
  add_list_client(app, "cluster", "Show all nodes of a set in one table", *broker)
      ->callback([broker, &exit_code] { exit_code = run_cluster(*broker); });
}

}  // namespace stub::cli
