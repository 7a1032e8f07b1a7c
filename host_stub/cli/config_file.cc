// The TOML side of serve_settings.h:
//
//   role = "master"
//   store = "/var/lib/ha_stub"
//   segment-size = "1G"
//   [option]
//   in_sync_replicas = 2

#include <toml++/toml.h>

#include "cli/nearest.h"
#include "cli/serve_settings.h"
#include "ha/plugin.h"
#include "http/text.h"

namespace stub::cli {
namespace {

using http::in_quotes;

std::string place(const std::string& path, const toml::source_region& source) {
  return path + ", line " + std::to_string(source.begin.line) + ": ";
}

// A number, a text or a truth value as the command line would have it.
std::optional<std::string> scalar(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

std::optional<Error> read_options(const std::string& path, const toml::node& node,
                                  ServeInput& out) {
  const auto* table = node.as_table();
  if (table == nullptr) {
    return Error{HA_INVALID, 0,
                 place(path, node.source()) +
                     "option is no table (try a line [option] and KEY = VALUE lines below it)"};
  }
  for (const auto& [key, value] : *table) {
    auto text = scalar(value);
    if (!text) {
      return Error{HA_INVALID, 0,
                   place(path, value.source()) + "option " + in_quotes(key.str()) +
                       " is neither text, whole number nor truth value"};
    }
    out.plugin_options.emplace_back(std::string(key.str()), std::move(*text));
  }
  return std::nullopt;
}

}  // namespace

Result<ServeInput> read_config(const std::string& path) {
  toml::table file;
  try {
    file = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const bool unread = error.source().begin.line == 0;
    return Error{HA_INVALID, 0,
                 "config: " + (unread ? path + ": " : place(path, error.source())) +
                     std::string(error.description())};
  }
  std::vector<std::string> known = {"option"};
  for (const auto& key : serve_keys()) known.emplace_back(key.name);
  ServeInput out;
  for (const auto& [key, value] : file) {
    const std::string name(key.str());
    if (name == "option") {
      if (auto error = read_options(path, value, out)) return std::move(*error);
      continue;
    }
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Error{HA_INVALID, 0,
                   "config: " + place(path, value.source()) + "unknown key " + in_quotes(name) +
                       " (did you mean '" + nearest(name, known) + "'?)"};
    }
    auto text = scalar(value);
    if (!text) {
      return Error{HA_INVALID, 0,
                   "config: " + place(path, value.source()) + in_quotes(name) +
                       " is neither text, whole number nor truth value"};
    }
    out.values.emplace(name, std::move(*text));
  }
  return out;
}

}  // namespace stub::cli
