// SPDX-License-Identifier: Apache-2.0
#include "cli/serve_settings.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "ha/plugin.h"
#include "http/address.h"
#include "http/location.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::cli {
namespace {

using http::in_quotes;
using Setter = std::function<std::optional<Error>(ServeSettings&, const std::string&)>;

Error invalid(std::string text) { return Error{HA_INVALID, 0, std::move(text)}; }

// More queues than consumers in any group are of no use.
constexpr std::int64_t kMaxQueues = 1024;
constexpr std::int64_t kMaxHours = std::int64_t{24} * 366 * 100;

std::optional<Error> set_integer(std::int64_t& out, const std::string& text, std::string_view key,
                                 std::int64_t min, std::int64_t max) {
  const auto number = http::parse_integer(text);
  if (!number || *number < min || *number > max) {
    return invalid(std::string(key) + ": " + in_quotes(text) + http::not_whole_number(min, max));
  }
  out = *number;
  return std::nullopt;
}

std::optional<Error> set_bytes(std::int64_t& out, const std::string& text, std::string_view key) {
  auto bytes = parse_bytes(text, key);
  if (auto* error = std::get_if<Error>(&bytes)) return std::move(*error);
  out = std::get<std::int64_t>(bytes);
  return std::nullopt;
}

std::optional<Error> set_address(std::string& out, const std::string& text, std::string_view key) {
  auto parsed = http::parse_host_port(text, key);
  if (auto* error = std::get_if<Error>(&parsed)) return std::move(*error);
  out = text;
  return std::nullopt;
}

std::optional<Error> set_client_address(ServeSettings& s, const std::string& text) {
  const auto url = http::parse_client_url(text, "client-address");
  if (const auto* error = std::get_if<Error>(&url)) return *error;
  s.broker.client_url = http::to_string(std::get<http::BrokerUrl>(url));
  return std::nullopt;
}

std::optional<Error> set_role(ServeSettings& s, const std::string& text) {
  if (text == "master") {
    s.broker.role = Role::kMaster;
  } else if (text == "slave") {
    s.broker.role = Role::kSlave;
  } else if (text == "none") {
    s.broker.role = Role::kNone;
  } else {
    return invalid("role: " + in_quotes(text) + " must be one of master, slave, none");
  }
  return std::nullopt;
}

std::optional<Error> set_flush(ServeSettings& s, const std::string& text) {
  if (text != "async" && text != "sync") {
    return invalid("flush: " + in_quotes(text) + " must be async or sync");
  }
  s.broker.flush = text == "sync" ? FlushPolicy::kSync : FlushPolicy::kAsync;
  return std::nullopt;
}

std::optional<Error> set_flag(bool& out, const std::string& text, std::string_view key) {
  if (text != "true" && text != "false") {
    return invalid(std::string(key) + ": " + in_quotes(text) + " must be true or false");
  }
  out = text == "true";
  return std::nullopt;
}

std::optional<Error> set_log_level(ServeSettings& s, const std::string& text) {
  static const std::vector<std::string> kLevels = {"debug", "info", "warn", "error", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), text) == kLevels.end()) {
    return invalid("log-level: " + in_quotes(text) +
                   " must be one of debug, info, warn, error, off");
  }
  s.log_level = text;
  return std::nullopt;
}

std::optional<Error> set_text(std::string& out, const std::string& text, std::string_view key) {
  if (text.empty()) return invalid(std::string(key) + " is empty; give a value or leave it out");
  out = text;
  return std::nullopt;
}

// An option of the plugin with a name of its own here; the plugin judges it.
std::optional<Error> add_option(ServeSettings& s, const char* key, const std::string& value) {
  s.broker.plugin_options.emplace_back(key, value);
  return std::nullopt;
}

const std::vector<std::pair<ServeKey, Setter>>& keys() {
  static const std::vector<std::pair<ServeKey, Setter>> kKeys = {
      {{"role", "master|slave|none", "what this node is at first (required)"}, set_role},
      {{"store", "DIR", "where the log lies; made when absent (required)"},
       [](auto& s, auto& v) { return set_text(s.broker.store_dir, v, "store"); }},
      {{"http", "ADDR:PORT", "client API; default 127.0.0.1:8080"},
       [](auto& s, auto& v) { return set_address(s.http, v, "http"); }},
      {{"http-threads", "N",
        "I/O threads of the client API, 1 to 64; default 1, which is enough unless the machine has "
        "CPUs to spare"},
       [](auto& s, auto& v) { return set_integer(s.http_threads, v, "http-threads", 1, 64); }},
      {{"client-address", "URL",
        "where clients reach this node's client API; slaves send them there when it is master; "
        "default: what --http listens on, unless that is all addresses"},
       set_client_address},
      {{"control-token-file", "FILE",
        "promote, demote, follow and set need a token of this file, one a line, read again when it "
        "changes; default: they are answered to this machine only"},
       [](auto& s, auto& v) {
         return set_text(s.access.control_token_file, v, "control-token-file");
       }},
      {{"client-token-file", "FILE",
        "produce, consume and offsets need a token of this file or of the control file; default: "
        "they are open"},
       [](auto& s, auto& v) {
         return set_text(s.access.client_token_file, v, "client-token-file");
       }},
      {{"http-tls-cert", "FILE",
        "the client API speaks https with this certificate (PEM, with those between it and its "
        "CA), read again when it changes"},
       [](auto& s, auto& v) { return set_text(s.tls.cert, v, "http-tls-cert"); }},
      {{"http-tls-key", "FILE",
        "its key, without a passphrase; default: in the certificate's file"},
       [](auto& s, auto& v) { return set_text(s.tls.key, v, "http-tls-key"); }},
      {{"http-client-ca", "FILE",
        "a client with a certificate that one of these CAs has signed may do everything"},
       [](auto& s, auto& v) { return set_text(s.tls.ca, v, "http-client-ca"); }},
      {{"ha-listen", "ADDR:PORT", "where slaves connect; default 0.0.0.0:10912"},
       [](auto& s, auto& v) { return set_address(s.broker.ha_listen, v, "ha-listen"); }},
      {{"master", "ADDR:PORT",
        "the master's HA address, for a slave; without it the slave waits for "
        "`ha_stub follow`"},
       [](auto& s, auto& v) { return set_address(s.broker.master_address, v, "master"); }},
      {{"not-ready-after-ms", "N",
        "/readyz says 503 on a slave that knows its master and has not followed it for this long; "
        "default 10000"},
       [](auto& s, auto& v) {
         return set_integer(s.broker.not_ready_after_ms, v, "not-ready-after-ms", 0, 86'400'000);
       }},
      {{"replica-id", "NAME", "what this node is called; has one vote in acks"},
       [](auto& s, auto& v) { return add_option(s, "replica_id", v); }},
      {{"replicas", "ID@ADDR:PORT,...",
        "all nodes of the set by their HA addresses, this one included, the same on each; they "
        "keep "
        "epochs: a node becomes master only when enough others promise, an old one rejoins"},
       [](auto& s, auto& v) { return add_option(s, "replicas", v); }},
      {{"cluster-id", "NAME", "nodes of another cluster are refused"},
       [](auto& s, auto& v) { return add_option(s, "cluster_id", v); }},
      {{"metrics", "ADDR:PORT", "serve Prometheus metrics there; default: not served"},
       [](auto& s, auto& v) { return set_address(s.broker.metrics_listen, v, "metrics"); }},
      {{"plugin", "PATH", "default: libha_plugin.so beside this program, then in ../lib"},
       [](auto& s, auto& v) { return set_text(s.broker.plugin_path, v, "plugin"); }},
      {{"segment-size", "BYTES",
        "size of a log file, k, M and G understood; default: the store's own, 1G for a new one"},
       [](auto& s, auto& v) { return set_bytes(s.broker.segment_bytes, v, "segment-size"); }},
      {{"flush", "async|sync", "sync: an answer waits for the disk; default async"}, set_flush},
      {{"flush-interval-ms", "N", "with async: at most this long unflushed; default 500"},
       [](auto& s, auto& v) {
         return set_integer(s.broker.flush_interval_ms, v, "flush-interval-ms", 1, 60'000);
       }},
      {{"retention-bytes", "BYTES", "keep at most about this much log; default: all"},
       [](auto& s, auto& v) -> std::optional<Error> {
         if (v == "0")
           return invalid("retention-bytes: '0' keeps nothing; to keep all, leave it out");
         return set_bytes(s.broker.retention_bytes, v, "retention-bytes");
       }},
      {{"retention-hours", "N", "keep segments at most about this long; default: for ever"},
       [](auto& s, auto& v) {
         std::int64_t hours = 0;
         auto error = set_integer(hours, v, "retention-hours", 1, kMaxHours);
         s.broker.retention_ms = hours * 3600 * 1000;
         return error;
       }},
      {{"queues", "N", "queues of a new topic; default 4"},
       [](auto& s, auto& v) {
         std::int64_t queues = s.broker.queues_per_topic;
         auto error = set_integer(queues, v, "queues", 1, kMaxQueues);
         s.broker.queues_per_topic = static_cast<int>(queues);
         return error;
       }},
      {{"log-level", "LEVEL", "debug, info, warn, error or off; default info"}, set_log_level},
      {{"consensus-log", "", "declare that this log replicates itself; the plugin then refuses it"},
       [](auto& s, auto& v) { return set_flag(s.broker.consensus_log, v, "consensus-log"); }},
  };
  return kKeys;
}

}  // namespace

const std::vector<ServeKey>& serve_keys() {
  static const std::vector<ServeKey> kNames = [] {
    std::vector<ServeKey> names;
    for (const auto& [key, setter] : keys()) names.push_back(key);
    return names;
  }();
  return kNames;
}

Result<std::pair<std::string, std::string>> parse_plugin_option(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return invalid("option: " + in_quotes(text) + " is not KEY=VALUE (try in_sync_replicas=2)");
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

Result<std::int64_t> parse_bytes(std::string_view text, std::string_view key) {
  const auto bytes = http::parse_size(text);
  if (!bytes || *bytes < 1)
    return invalid(std::string(key) + ": " + in_quotes(text) + std::string(http::kNotASize));
  return *bytes;
}

Result<ServeSettings> resolve(const ServeInput& command_line, const ServeInput& file) {
  ServeSettings out;
  auto values = command_line.values;
  values.insert(file.values.begin(), file.values.end());
  for (const auto& [key, setter] : keys()) {
    const auto given = values.find(std::string(key.name));
    if (given == values.end()) continue;
    if (auto error = setter(out, given->second)) return std::move(*error);
  }
  for (const auto* required : {"role", "store"}) {
    if (!values.contains(required)) {
      return invalid(std::string(required) + " is missing: give --" + required + " or `" +
                     required + " = ...` in the --config file");
    }
  }
  if (values.contains("master") && out.broker.role != Role::kSlave) {
    return invalid("master: " + in_quotes(out.broker.master_address) +
                   " is for --role slave only; leave it out or change the role");
  }
  for (const auto* key : {"http-tls-key", "http-client-ca"}) {
    if (values.contains(key) && out.tls.cert.empty()) {
      return invalid(std::string(key) + ": " + in_quotes(values.at(key)) +
                     " needs --http-tls-cert too; without it the client API speaks plain HTTP");
    }
  }
  // Both sources' options; the plugin judges them. One that both name is the command line's.
  auto& options = out.broker.plugin_options;
  options.insert(options.end(), command_line.plugin_options.begin(),
                 command_line.plugin_options.end());
  for (const auto& option : file.plugin_options) {
    const auto same = [&](const auto& other) { return other.first == option.first; };
    if (std::none_of(command_line.plugin_options.begin(), command_line.plugin_options.end(),
                     same)) {
      out.broker.plugin_options.push_back(option);
    }
  }
  return out;
}

}  // namespace stub::cli
