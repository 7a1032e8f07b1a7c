// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <fmt/format.h>

#include "http/query.h"
#include "http/text.h"

namespace stub::cli {

CLI::App* add_client(CLI::App& app, const char* name, const char* help, BrokerFlags& broker) {
  broker.url = "http://127.0.0.1:8080";
  auto* command = app.add_subcommand(name, help);
  command->add_option("--broker", broker.url, "the broker's client API")
      ->type_name("URL")
      ->capture_default_str();
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
