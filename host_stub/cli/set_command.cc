// SPDX-License-Identifier: Apache-2.0
// `ha_stub set`: changes options of the plugin while it runs.

#include <fmt/format.h>

#include "cli/broker_client.h"
#include "cli/commands.h"

namespace stub::cli {
namespace {

struct SetOptions {
  BrokerFlags broker;
  std::vector<std::string> texts;
};

// One after the other, until one is refused.
int run_set(const SetOptions& given) {
  const auto options = parse_plugin_options(given.texts);
  if (const auto* error = std::get_if<Error>(&options)) return fail_usage(*error);
  auto opened = open_client(given.broker);
  if (const auto* error = std::get_if<Error>(&opened)) return complain(error->text);
  for (const auto& [key, value] : std::get<PluginOptions>(options)) {
    const auto done = std::get<BrokerClient>(opened).set_option(key, value);
    if (const auto* error = std::get_if<Error>(&done)) return complain(error->text);
    fmt::print("{} has {}={} now, until it is restarted\n", given.broker.url, key, value);
  }
  return kExitOk;
}

}  // namespace

void add_set(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SetOptions>();
  auto* command =
      add_client(app, "set", "Change options of the plugin while it runs", options->broker);
  command->add_option("options", options->texts, "done in this order, until one is refused")
      ->type_name("KEY=VALUE")
      ->required();
  command->callback([options, &exit_code] { exit_code = run_set(*options); });
}

}  // namespace stub::cli
