// SPDX-License-Identifier: Apache-2.0
#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "cli/commands.h"
#include "cli/version.h"
#include "http/api.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::cli {
namespace {

constexpr const char* kDefaultBroker = "http://127.0.0.1:8080";
// As many as a topic's consumers could catch up with in seconds; beyond it only memory grows.
constexpr std::int64_t kMaxWindow = 1'000'000;

struct ServeCommand {
  ServeInput input;
  std::map<std::string, std::string> texts;
  std::map<std::string, bool> flags;
  std::vector<std::string> options;
  std::string config;
};

void add_serve(CLI::App& app, ServeCommand& out) {
  auto* serve = app.add_subcommand("serve", "Run a broker until SIGTERM or SIGINT");
  for (const auto& key : serve_keys()) {
    const std::string name(key.name);
    if (key.value.empty()) {
      serve->add_flag("--" + name, out.flags[name], std::string(key.help));
    } else {
      serve->add_option("--" + name, out.texts[name], std::string(key.help))
          ->type_name(std::string(key.value));
    }
  }
  serve->add_option("--option", out.options, "an option of the plugin; may be given often")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  serve->add_option("--config", out.config, "the same keys from a TOML file; the command line wins")
      ->type_name("FILE.toml");
}

int fail_usage(const Error& error) {
  complain(error.text);
  return kExitUsage;
}

// All of the KEY=VALUE texts, or the first that is none.
Result<PluginOptions> parse_plugin_options(const std::vector<std::string>& texts) {
  PluginOptions out;
  for (const auto& text : texts) {
    auto option = parse_plugin_option(text);
    if (auto* error = std::get_if<Error>(&option)) return std::move(*error);
    out.push_back(std::get<PluginOptions::value_type>(std::move(option)));
  }
  return out;
}

int set_options(const std::string& broker, const std::vector<std::string>& texts) {
  const auto options = parse_plugin_options(texts);
  if (const auto* error = std::get_if<Error>(&options)) return fail_usage(*error);
  return run_set(broker, std::get<PluginOptions>(options));
}

int serve(CLI::App& command, ServeCommand& given) {
  for (const auto& [name, text] : given.texts) {
    if (command.get_option("--" + name)->count() > 0) given.input.values[name] = text;
  }
  for (const auto& [name, set] : given.flags) {
    if (set) given.input.values[name] = "true";
  }
  auto options = parse_plugin_options(given.options);
  if (const auto* error = std::get_if<Error>(&options)) return fail_usage(*error);
  given.input.plugin_options = std::get<PluginOptions>(std::move(options));
  ServeInput file;
  if (!given.config.empty()) {
    auto read = read_config(given.config);
    if (const auto* error = std::get_if<Error>(&read)) return fail_usage(*error);
    file = std::get<ServeInput>(std::move(read));
  }
  const auto settings = resolve(given.input, file);
  if (const auto* error = std::get_if<Error>(&settings)) return fail_usage(*error);
  return run_serve(std::get<ServeSettings>(settings));
}

CLI::App* add_client(CLI::App& app, const char* name, const char* help, std::string& broker) {
  broker = kDefaultBroker;
  auto* command = app.add_subcommand(name, help);
  command->add_option("--broker", broker, "the broker's client API")
      ->type_name("URL")
      ->capture_default_str();
  return command;
}

// CLI11 takes 010 for 8 and 99999999999999999999 for the largest number there is.
CLI::Validator whole_number(std::int64_t min, std::int64_t max) {
  const auto check = [=](const std::string& text) -> std::string {
    const auto number = http::parse_integer(text);
    if (number && *number >= min && *number <= max) return "";
    return http::in_quotes(text) + http::not_whole_number(min, max);
  };
  return CLI::Validator(check, "", "");
}

std::string check_acks(const std::string& text) {
  if (text == "all" || text == "quorum" || text == "async" || text == "default") return "";
  const auto number = http::parse_integer(text);
  if (number && *number >= 1 && *number <= INT32_MAX) return "";
  return http::in_quotes(text) +
         " is neither a number of copies from 1 (2 waits for one slave) nor all, quorum or async";
}

}  // namespace

int run(int argc, const char* const* argv) {
  CLI::App app{"A reference broker for the ha_plugin replication library", "ha_stub"};
  app.set_version_flag("--version", std::string("ha_stub ") + kVersion);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default(false);

  ServeCommand serve_command;
  add_serve(app, serve_command);

  ProduceOptions produce;
  auto* p = add_client(app, "produce", "Send a message a line", produce.broker);
  p->add_option("--topic", produce.topic)->type_name("T")->required();
  p->add_option("--acks", produce.acks,
                "copies, the master's included: 2 waits for one slave; default: the broker's "
                "in_sync_replicas")
      ->type_name("N|all|quorum|async")
      ->check(check_acks);
  p->add_flag("--durable", produce.durable, "copies have to survive a loss of power");
  p->add_option("--timeout-ms", produce.timeout_ms, "how long a message may wait for its copies")
      ->check(whole_number(1, http::kMaxAckTimeoutMs))
      ->type_name("N")
      ->capture_default_str();
  p->add_option("--window", produce.window, "messages in flight; 1 = one by one")
      ->check(whole_number(1, kMaxWindow))
      ->type_name("N")
      ->capture_default_str();
  p->add_option("file", produce.file, "what to send; - = standard input")->type_name("FILE|-");

  ConsumeOptions consume;
  auto* c = add_client(app, "consume", "Print messages, a line each", consume.broker);
  c->add_option("--topic", consume.topic)->type_name("T")->required();
  c->add_option("--queue", consume.queue, "only this queue; default: all, in the log's order")
      ->check(whole_number(0, 65'535))
      ->type_name("Q");
  c->add_option("--from", consume.from,
                "a cursor: with --queue a queue offset, else a log offset; default: the first held")
      ->check(whole_number(0, INT64_MAX))
      ->type_name("N");
  c->add_option("--max", consume.max, "stop after so many")
      ->check(whole_number(0, INT64_MAX))
      ->type_name("N");
  c->add_flag("--follow", consume.follow, "wait for more at the end");
  c->add_flag("--json", consume.json, "a JSON object a line, with offsets and keys");

  StatusOptions status;
  auto* s = add_client(app, "status", "Show role, log and replicas", status.broker);
  auto* json = s->add_flag("--json", status.json, "everything, as the broker says it");
  s->add_flag("--watch", status.watch, "again every second")->excludes(json);

  std::string promote_broker;
  std::vector<std::string> peers;
  auto* promote = add_client(app, "promote", "Make a broker the master", promote_broker);
  promote
      ->add_option("--peers", peers,
                   "ask these first; refuse when one of them holds more whole records")
      ->type_name("URL,...")
      ->delimiter(',');
  bool force = false;
  promote->add_flag("--force", force,
                    "in a set of --replicas: without the promises of enough other nodes; what was "
                    "acknowledged and only they hold is lost");

  std::string demote_broker;
  auto* demote = add_client(app, "demote", "Make a broker a slave without a master", demote_broker);

  std::string follow_broker;
  std::string master;
  auto* follow = add_client(app, "follow", "Make a broker the slave of a master", follow_broker);
  follow->add_option("--master", master, "the master's HA address")
      ->type_name("ADDR:PORT")
      ->required();

  std::string set_broker;
  std::vector<std::string> options_to_set;
  auto* set = add_client(app, "set", "Change options of the plugin while it runs", set_broker);
  set->add_option("options", options_to_set, "done in this order, until one is refused")
      ->type_name("KEY=VALUE")
      ->required();

  std::string store;
  auto* verify = app.add_subcommand("verify", "Check every record of a store's log");
  verify->add_option("--store", store)->type_name("DIR")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // CLI11 would only say that a command is missing.
    const std::string word = argc > 1 ? argv[1] : "";
    const auto commands = app.get_subcommands({});
    if (word.empty() || std::any_of(commands.begin(), commands.end(), [&](const CLI::App* command) {
          return command->check_name(word);
        })) {
      app.exit(error);
    } else {
      complain("'" + word + "' is no command (`ha_stub --help` lists them)");
    }
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (auto* command = app.get_subcommand("serve"); command->parsed()) {
    return serve(*command, serve_command);
  }
  if (p->parsed()) return run_produce(produce);
  if (c->parsed()) return run_consume(consume);
  if (s->parsed()) return run_status(status);
  if (promote->parsed()) return run_promote(promote_broker, peers, force);
  if (demote->parsed()) return run_demote(demote_broker);
  if (follow->parsed()) return run_follow(follow_broker, master);
  if (set->parsed()) return set_options(set_broker, options_to_set);
  return run_verify(store);
}

}  // namespace stub::cli
