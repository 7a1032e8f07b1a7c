// SPDX-License-Identifier: Apache-2.0
// The `ha_stub` program: a reference broker that loads a replication plugin, and the commands to
// use it.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/commands.h"
#include "cli/version.h"

namespace stub::cli {
namespace {

// CLI11 would only say that a command is missing.
void explain_missing(const CLI::App& app, const CLI::RequiredError& error,
                     const std::string& word) {
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  const bool known = std::any_of(verbs.begin(), verbs.end(),
                                 [&](const CLI::App* verb) { return verb->check_name(word); });
  if (word.empty() || known) {
    app.exit(error);
  } else {
    complain("'" + word + "' is not a command (`ha_stub --help` lists them)");
  }
}

int run(int argc, const char* const* argv) {
  CLI::App app{"A reference broker for the ha_plugin replication library", "ha_stub"};
  app.set_version_flag("--version", std::string("ha_stub ") + kVersion);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default(false);
  int exit_code = kExitOk;
#define HA_STUB_ADD(verb) add_##verb(app, exit_code);
  HA_STUB_VERBS(HA_STUB_ADD)
#undef HA_STUB_ADD
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    explain_missing(app, error, argc > 1 ? argv[1] : "");
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return exit_code;
}

}  // namespace
}  // namespace stub::cli

int main(int argc, char** argv) {
  // A reader that closes the pipe ends in a write error, which every command reports.
  ::signal(SIGPIPE, SIG_IGN);
  return stub::cli::run(argc, argv);
}
