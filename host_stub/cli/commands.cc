// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <fmt/format.h>

#include "http/query.h"
#include "http/text.h"

namespace stub::cli {

namespace {

CLI::App* add_broker(CLI::App& app, const char* name, const char* help, BrokerFlags& broker,
                     const char* what, const char* type) {
  broker.url = "http://127.0.0.1:8080";
  auto* command = app.add_subcommand(name, help);
  command->add_option("--broker", broker.url, what)->type_name(type)->capture_default_str();
  // A token itself is not a flag: others on this machine see a command's arguments.
  command
      ->add_option("--token-file", broker.access.token_file,
                   "send the first token of this file; for a broker with --control-token-file or "
                   "--client-token-file")
      ->type_name("FILE")
      ->envname("HA_STUB_TOKEN_FILE");
  command
      ->add_option("--ca", broker.access.tls.ca,
                   "with https: the CAs that may have signed the broker's certificate, in PEM; "
                   "default: the system's")
      ->type_name("FILE")
      ->envname("HA_STUB_CA");
  command
      ->add_option("--cert", broker.access.tls.cert,
                   "with https: show this certificate; for a broker with --http-client-ca")
      ->type_name("FILE")
      ->envname("HA_STUB_CERT");
  command->add_option("--key", broker.access.tls.key, "its key; default: in the file of --cert")
      ->type_name("FILE")
      ->envname("HA_STUB_KEY");
  return command;
}

// One that CLI11 takes and this verb cannot do.
std::string check_single(const std::string& text) {
  if (text.find(',') == std::string::npos) return "";
  return http::in_quotes(text) + " names several brokers; this command is for one";
}

std::string check_list(const std::string& text) {
  const auto parsed = parse_broker_list(text);
  const auto* error = std::get_if<Error>(&parsed);
  return error != nullptr ? error->text : "";
}

}  // namespace

CLI::App* add_client(CLI::App& app, const char* name, const char* help, BrokerFlags& broker) {
  auto* command = add_broker(app, name, help, broker, "the broker's client API", "URL");
  command->get_option("--broker")->check(check_single);
  return command;
}

CLI::App* add_list_client(CLI::App& app, const char* name, const char* help, BrokerFlags& broker) {
  auto* command =
      add_broker(app, name, help, broker, "the client API of a broker, or of several", "URL,...");
  command->get_option("--broker")->check(check_list);
  return command;
}

void add_failover(CLI::App& command, BrokerFlags& broker) {
  command
      .add_option("--failover-timeout", broker.failover_s,
                  "how long to go on trying the brokers when none does it; 0 = not at all; "
                  "default: 30 with several brokers, 0 with one")
      ->check(whole_number(0, 86'400))
      ->type_name("SECONDS");
}

Result<NodeFinder> open_finder(const BrokerFlags& broker) {
  std::optional<std::chrono::milliseconds> timeout;
  if (broker.failover_s) timeout = std::chrono::seconds(*broker.failover_s);
  return NodeFinder::open(broker.url, broker.access, timeout);
}

Result<std::vector<BrokerClient>> open_clients(const BrokerFlags& broker) {
  const auto list = parse_broker_list(broker.url);
  if (const auto* error = std::get_if<Error>(&list)) return *error;
  std::vector<BrokerClient> out;
  for (const auto& url : std::get<std::vector<http::BrokerUrl>>(list)) {
    auto client = BrokerClient::open(url, broker.access);
    if (auto* error = std::get_if<Error>(&client)) return std::move(*error);
    out.push_back(std::get<BrokerClient>(std::move(client)));
  }
  return out;
}

Result<BrokerClient> open_client(const BrokerFlags& broker) {
  return BrokerClient::open(broker.url, broker.access);
}

CLI::Validator whole_number(std::int64_t min, std::int64_t max) {
  const auto check = [=](const std::string& text) -> std::string {
    const auto number = http::parse_integer(text);
    if (number && *number >= min && *number <= max) return "";
    return http::in_quotes(text) + http::not_whole_number(min, max);
  };
  return CLI::Validator(check, "", "");
}

Result<PluginOptions> parse_plugin_options(const std::vector<std::string>& texts) {
  PluginOptions out;
  for (const auto& text : texts) {
    auto option = parse_plugin_option(text);
    if (auto* error = std::get_if<Error>(&option)) return std::move(*error);
    out.push_back(std::get<PluginOptions::value_type>(std::move(option)));
  }
  return out;
}

int complain(const std::string& text) {
  fmt::print(stderr, "ha_stub: {}\n", text);
  return kExitFailed;
}

int fail_usage(const Error& error) {
  complain(error.text);
  return kExitUsage;
}

}  // namespace stub::cli
