// SPDX-License-Identifier: Apache-2.0
// What `ha_stub serve` is told, from the command line and a TOML file: the same keys in both,
// checked in one place. The command line wins.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "http/secret_files.h"

namespace stub::cli {

struct ServeSettings {
  BrokerOptions broker;
  std::string http = "127.0.0.1:8080";
  std::int64_t http_threads = 1;
  http::AccessOptions access;
  http::TlsFiles tls;
  std::string log_level = "info";
};

using PluginOptions = std::vector<std::pair<std::string, std::string>>;  // KEY, VALUE

// One source's values, as text, by key ("ha-listen", ...). Only what was given.
struct ServeInput {
  std::map<std::string, std::string> values;
  PluginOptions plugin_options;
};

struct ServeKey {
  std::string_view name;
  std::string_view value;  // what stands for the value in the help; empty = a flag
  std::string_view help;
};

// Every key but `option` (may be given often) and `config`.
const std::vector<ServeKey>& serve_keys();

// "KEY=VALUE" of --option and of the command set.
Result<std::pair<std::string, std::string>> parse_plugin_option(std::string_view text);

// Bytes: a whole number with k, M or G (powers of 1024) or without.
Result<std::int64_t> parse_bytes(std::string_view text, std::string_view key);

// Reads a TOML file. Errors name the file, the line, the key, and the nearest known one.
Result<ServeInput> read_config(const std::string& path);

// Both sources, checked: roles, numbers, addresses, what is required.
Result<ServeSettings> resolve(const ServeInput& command_line, const ServeInput& file);

}  // namespace stub::cli
