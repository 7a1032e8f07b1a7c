// SPDX-License-Identifier: Apache-2.0
// The verbs of `ha_stub`. Each declares its flags, its help and what it does in one file. It prints
// results on standard output and everything else on standard error.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/broker_client.h"
#include "cli/node_finder.h"
#include "cli/serve_settings.h"

// The list, in the order of `ha_stub --help`: VERB(name) for each. To add a verb, write its
// add_NAME in a file of its own and name it here.
#define HA_STUB_VERBS(VERB) \
  VERB(serve)               \
  VERB(produce)             \
  VERB(consume)             \
  VERB(status)              \
  VERB(promote)             \
  VERB(demote)              \
  VERB(follow)              \
  VERB(switchover)          \
  VERB(pause)               \
  VERB(resume)              \
  VERB(cluster)             \
  VERB(members)             \
  VERB(set)                 \
  VERB(verify)              \
  VERB(keygen)

namespace stub::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // it was tried and did not work, or not all of it
inline constexpr int kExitUsage = 2;   // the command line or the configuration is wrong

// Declares the verb. Its callback runs the command and leaves its exit code in `exit_code`, which
// outlives the app.
#define HA_STUB_DECLARE(verb) void add_##verb(CLI::App& app, int& exit_code);
HA_STUB_VERBS(HA_STUB_DECLARE)
#undef HA_STUB_DECLARE

// Which broker, and how it lets this program in.
struct BrokerFlags {
  std::string url;  // or several, with commas
  std::optional<std::int64_t> failover_s;
  BrokerAccess access;
};

// A verb that talks to a broker: the subcommand with its --broker and what it shows the broker.
CLI::App* add_client(CLI::App& app, const char* name, const char* help, BrokerFlags& broker);
// The same for a verb that takes a list of brokers.
CLI::App* add_list_client(CLI::App& app, const char* name, const char* help, BrokerFlags& broker);
// --failover-timeout, for a verb that goes on at another broker of the list.
void add_failover(CLI::App& command, BrokerFlags& broker);
Result<NodeFinder> open_finder(const BrokerFlags& broker);
// One for each of the list.
Result<std::vector<BrokerClient>> open_clients(const BrokerFlags& broker);
Result<BrokerClient> open_client(const BrokerFlags& broker);

// CLI11 takes 010 for 8 and 99999999999999999999 for the largest number there is.
CLI::Validator whole_number(std::int64_t min, std::int64_t max);

// All of the KEY=VALUE texts, or why the first that is not one is refused.
Result<PluginOptions> parse_plugin_options(const std::vector<std::string>& texts);

// "ha_stub: TEXT" on standard error; returns kExitFailed.
int complain(const std::string& text);
int fail_usage(const Error& error);  // the same, and kExitUsage

}  // namespace stub::cli
