// SPDX-License-Identifier: Apache-2.0
// `ha_stub serve`: a broker until SIGTERM or SIGINT.
//
// Signals are blocked before the first thread starts and taken by sigwait on the main thread, so
// nothing runs in a signal handler. A second signal ends the process at once: the store survives
// that.

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <filesystem>

#include "broker/broker_log.h"
#include "cli/commands.h"
#include "http/location.h"
#include "http/server.h"

namespace stub::cli {
namespace {

// The whole stop has 5 s: waits get this long to end well, answers that long to leave.
constexpr std::int64_t kDrainMs = 2000;
constexpr std::chrono::milliseconds kAnswersLeave{1000};

std::string default_plugin() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = program.parent_path() / "libha_plugin.so";
  const auto installed = program.parent_path().parent_path() / "lib" / "libha_plugin.so";
  const bool only_installed =
      !std::filesystem::exists(beside, error) && std::filesystem::exists(installed, error);
  return (only_installed ? installed : beside).string();
}

// Thousands of clients and a file per segment: the default soft limit of 1024 would be the first to
// go.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    spdlog::warn("cannot raise the limit on open files above {}", limit.rlim_cur);
  }
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// By default glibc returns the memory of larger messages to the system and gets new pages for the
// next ones. That was a quarter of the CPU time of a message of 16 KiB.
void keep_freed_memory() {
  constexpr int kLargestFromHeap = 32 << 20;  // the most that glibc allows
  constexpr int kKept = 64 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLargestFromHeap);
  ::mallopt(M_TRIM_THRESHOLD, kKept);
}

int run_serve(const ServeSettings& settings) {
  keep_freed_memory();
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // Both streams may be pipes whose readers have stalled. That must keep this broker neither from
  // starting nor from its SIGTERM.
  BrokerLog log(settings.log_level);
  LineWriter output(STDOUT_FILENO);
  const auto fail = [&](const Error& error) {
    log.say("ha_stub: " + error.text);
    return kExitFailed;
  };
  raise_descriptor_limit();

  http::ServerOptions server_options;
  server_options.listen = settings.http;
  server_options.threads = static_cast<int>(settings.http_threads);
  server_options.access = settings.access;
  server_options.tls = settings.tls;
  auto bound = http::Server::bind(server_options);
  if (const auto* error = std::get_if<Error>(&bound)) return fail(*error);
  const auto server = std::get<std::unique_ptr<http::Server>>(std::move(bound));

  auto options = settings.broker;
  if (options.plugin_path.empty()) options.plugin_path = default_plugin();
  if (options.client_url.empty())
    options.client_url = http::client_url_of(server->address(), !settings.tls.cert.empty());
  auto opened = Broker::open(options);
  if (const auto* error = std::get_if<Error>(&opened)) return fail(*error);
  const auto broker = std::get<std::unique_ptr<Broker>>(std::move(opened));
  server->start(*broker);

  boost::json::object ready{{"event", "ready"},
                            {"pid", ::getpid()},
                            {"role", role_name(broker->role())},
                            {"http", server->address()},
                            {"ha", broker->ha_address()},
                            {"metrics", nullptr}};
  if (const auto metrics = broker->metrics_address(); !metrics.empty()) ready["metrics"] = metrics;
  output.push(boost::json::serialize(ready) + "\n");

  int signal = 0;
  ::sigwait(&signals, &signal);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  spdlog::info("stopping on {}", ::strsignal(signal));
  server->drain();
  broker->stop(kDrainMs);
  server->stop(kAnswersLeave);
  spdlog::info("stopped");
  output.stop(kAnswersLeave);
  return kExitOk;
}

struct ServeOptions {
  std::map<std::string, std::string> texts;
  std::map<std::string, bool> flags;
  std::vector<std::string> options;
  std::string config;
};

int resolve_and_run(const CLI::App& command, const ServeOptions& given) {
  ServeInput input;
  for (const auto& [name, text] : given.texts) {
    if (command.count("--" + name) > 0) input.values[name] = text;
  }
  for (const auto& [name, set] : given.flags) {
    if (set) input.values[name] = "true";
  }
  auto options = parse_plugin_options(given.options);
  if (const auto* error = std::get_if<Error>(&options)) return fail_usage(*error);
  input.plugin_options = std::get<PluginOptions>(std::move(options));
  ServeInput file;
  if (!given.config.empty()) {
    auto read = read_config(given.config);
    if (const auto* error = std::get_if<Error>(&read)) return fail_usage(*error);
    file = std::get<ServeInput>(std::move(read));
  }
  const auto settings = resolve(input, file);
  if (const auto* error = std::get_if<Error>(&settings)) return fail_usage(*error);
  return run_serve(std::get<ServeSettings>(settings));
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<ServeOptions>();
  auto* command = app.add_subcommand("serve", "Run a broker until SIGTERM or SIGINT");
  for (const auto& key : serve_keys()) {
    const std::string name(key.name);
    if (key.value.empty()) {
      command->add_flag("--" + name, given->flags[name], std::string(key.help));
    } else {
      command->add_option("--" + name, given->texts[name], std::string(key.help))
          ->type_name(std::string(key.value));
    }
  }
  command->add_option("--option", given->options, "an option of the plugin; may be given often")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--config", given->config,
                   "the same keys from a TOML file; the command line wins")
      ->type_name("FILE.toml");
  command->callback(
      [command, given, &exit_code] { exit_code = resolve_and_run(*command, *given); });
}

}  // namespace stub::cli
