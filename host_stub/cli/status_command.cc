// SPDX-License-Identifier: Apache-2.0
// `ha_stub status`: a broker's role, log and replicas.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "cli/broker_client.h"
#include "cli/commands.h"
#include "cli/progress.h"

namespace stub::cli {
namespace {

struct StatusOptions {
  BrokerFlags broker;
  bool json = false;
  bool watch = false;
};

constexpr std::chrono::seconds kWatchInterval{1};

std::string row(const ReplicaStatus& one, const std::string& state) {
  return fmt::format("{:<24}{:<24}{:<11}{:<9}{:>18}{:>12}{:>10}", one.id, one.address, state,
                     one.in_sync ? "yes" : "no", grouped(one.ack_offset), bytes_text(one.lag_bytes),
                     one.lag_ms < 0 ? "?" : duration_text(one.lag_ms * 1000));
}

std::string table(const std::string& url, const NodeStatus& node) {
  std::string out = fmt::format("{:<11}{}\n{:<11}{}\n", "broker", url, "role", node.role);
  if (node.role == "slave") {
    const bool up = node.client_state == "transfer" || node.client_reason == "none";
    out += fmt::format("{:<11}{} ({}{})\n", "master", node.master.empty() ? "nobody" : node.master,
                       node.client_state == "ready" ? "not connected" : node.client_state,
                       up ? "" : "; last ended: " + node.client_reason + ", see this node's log");
  }
  if (node.epoch > 0 || node.promised > 0) {
    out +=
        fmt::format("{:<11}{}{}\n", "epoch", node.epoch,
                    node.promised > node.epoch ? fmt::format(", promised {}", node.promised) : "");
  }
  if (!node.role_text.empty()) out += fmt::format("{:<11}{}\n", "", node.role_text);
  if (node.truncated > 0) {
    out += fmt::format("{:<11}{} bytes were cut off this log, see this node's log\n", "",
                       grouped(node.truncated));
  }
  out += fmt::format("{:<11}{}\n{:<11}{} .. {}, whole records up to {}", "ha", node.ha_address,
                     "log", grouped(node.min), grouped(node.end), grouped(node.whole_end));
  if (node.confirm < node.whole_end)
    out += fmt::format(", readers see them up to {}", grouped(node.confirm));
  out += "\n";
  if (node.role == "master") {
    out += fmt::format("\n{:<24}{:<24}{:<11}{:<9}{:>18}{:>12}{:>10}\n", "replica", "address",
                       "state", "in sync", "acknowledged", "lag", "behind");
    for (const auto& one : node.replicas) out += row(one, one.state) + "\n";
    for (const auto& one : node.gone) {
      out += row(one, "gone") + "  left " + duration_text(one.gone_ms * 1000) +
             " ago: " + one.gone_reason + "\n";
    }
    if (node.replicas.empty()) out += "(no replica is connected)\n";
  }
  if (!node.degraded.empty()) out += "acknowledged with too few copies:\n";
  for (const auto& range : node.degraded) out += to_text(range) + "\n";
  if (!node.blocked.empty()) out += "blocked    " + node.blocked + "\n";
  for (const auto& warning : node.warnings) out += "warning    " + warning + "\n";
  return out;
}

// False when the broker does not answer.
bool show(BrokerClient& client, const StatusOptions& options) {
  const auto status = client.status();
  const auto* error = std::get_if<Error>(&status);
  if (error != nullptr) {
    // It may come back while one watches.
    if (options.watch)
      fmt::print("{}\n", error->text);
    else
      complain(error->text);
    return false;
  }
  const auto& node = std::get<NodeStatus>(status);
  fmt::print("{}", options.json ? node.json : table(client.url(), node));
  return true;
}

int run_status(const StatusOptions& options) {
  auto opened = open_clients(options.broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  auto& clients = std::get<std::vector<BrokerClient>>(opened);
  const bool redraw = options.watch && ::isatty(STDOUT_FILENO) != 0;
  while (true) {
    bool all = true;
    if (redraw) fmt::print("\x1b[H\x1b[J");
    for (auto& client : clients) {
      if (&client != &clients.front() && !options.json) fmt::print("\n");
      all = show(client, options) && all;
    }
    if (std::fflush(stdout) != 0) return complain("cannot write to standard output");
    if (!options.watch) return all ? kExitOk : kExitFailed;
    std::this_thread::sleep_for(kWatchInterval);
  }
}

}  // namespace

void add_status(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<StatusOptions>();
  auto* command = add_list_client(app, "status", "Show role, log and replicas", options->broker);
  auto* json = command->add_flag("--json", options->json, "everything, as the broker says it");
  command->add_flag("--watch", options->watch, "again every second")->excludes(json);
  command->callback([options, &exit_code] { exit_code = run_status(*options); });
}

}  // namespace stub::cli
