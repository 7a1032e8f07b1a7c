// SPDX-License-Identifier: Apache-2.0
// The TOML side of serve_settings.h:
//
//   role = "master"
//   store = "/var/lib/ha_stub"
//   segment-size = "1G"
//   [option]
//   in_sync_replicas = 2

#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

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

// Far more than a person writes by hand: the name is that of another kind of file.
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

Error unreadable(const std::string& path, const std::string& why) {
  return Error{HA_INVALID, 0,
               "config: " + in_quotes(path) + " " + why +
                   " (name a TOML file with the keys of "
                   "`ha_stub serve --help`)"};
}

Result<std::string> read_whole(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable(path, "is a directory");
  std::ifstream in(path, std::ios::binary);
  if (!in) return unreadable(path, std::string("cannot be opened: ") + std::strerror(errno));
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return unreadable(path, std::string("cannot be read: ") + std::strerror(errno));
  if (text.size() > kMostBytes) {
    return unreadable(path, "is larger than " + std::to_string(kMostBytes) + " bytes");
  }
  if (text.find('\0') != std::string::npos) {
    return unreadable(path, "is not a text file: it has a NUL byte at position " +
                                std::to_string(text.find('\0')));
  }
  return text;
}

// "\u0000" is a fine TOML text, but no path, address or option can have it.
bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// A number, a text or a boolean as the command line would have it.
std::optional<std::string> scalar(const toml::node& node) {
  if (const auto* text = node.as_string(); text != nullptr && !has_nul(text->get())) {
    return text->get();
  }
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
                     "option is not a table (try a line [option] and KEY = VALUE lines below it)"};
  }
  for (const auto& [key, value] : *table) {
    auto text = scalar(value);
    if (!text) {
      return Error{HA_INVALID, 0,
                   place(path, value.source()) + "option " + in_quotes(key.str()) +
                       " must be text without a NUL byte, a whole number, true or false"};
    }
    out.plugin_options.emplace_back(std::string(key.str()), std::move(*text));
  }
  return std::nullopt;
}

}  // namespace

Result<ServeInput> read_config(const std::string& path) {
  const auto text = read_whole(path);
  if (const auto* error = std::get_if<Error>(&text)) return *error;
  toml::table file;
  try {
    file = toml::parse(std::get<std::string>(text), path);
  } catch (const toml::parse_error& error) {
    return Error{HA_INVALID, 0,
                 "config: " + place(path, error.source()) + std::string(error.description())};
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
      const std::string meant = nearest(name, known);
      return Error{HA_INVALID, 0,
                   "config: " + place(path, value.source()) + "unknown key " + in_quotes(name) +
                       (meant.empty() ? " (`ha_stub serve --help` lists the keys)"
                                      : " (did you mean '" + meant + "'?)")};
    }
    auto setting = scalar(value);
    if (!setting) {
      return Error{HA_INVALID, 0,
                   "config: " + place(path, value.source()) + in_quotes(name) +
                       " must be text without a NUL byte, a whole number, true or false"};
    }
    out.values.emplace(name, std::move(*setting));
  }
  return out;
}

}  // namespace stub::cli
