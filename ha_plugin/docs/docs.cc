// SPDX-License-Identifier: Apache-2.0
// Writes the README's tables of options and metrics from the code that defines them, and its
// minimal host from the example that the tests run.
//
//   ha_docs README.md          rewrites what stands between the markers
//   ha_docs --check README.md  changes nothing; exit 1 when a table is out of date
//
// A table stands between lines `<!-- NAME: ... -->` and `<!-- /NAME -->`.
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "ha_plugin/config/settings.h"
#include "metrics/exporter.h"

namespace {

std::string options_table() {
  std::string t =
      "| option | type | default | values | while running | meaning |\n|---|---|---|---|---|---|\n";
  for (const ha::OptionDoc& o : ha::option_docs()) {
    t += "| `" + o.key + "` | " + o.type + " | " +
         (o.default_value.empty() ? "(empty)" : "`" + o.default_value + "`") + " | " + o.range +
         " | " + (o.while_running ? "yes" : "no") + " | " + o.meaning + " |\n";
  }
  return t;
}

std::string metrics_table() {
  std::string t = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const ha::metrics::MetricDoc& m : ha::metrics::Exporter::documentation()) {
    t += "| `" + m.name + "` | " + m.type + " | " + m.labels + " | " + m.help + " |\n";
  }
  return t;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) {
    std::cerr << "ha_docs: cannot read '" << path << "'\n";
    return std::nullopt;
  }
  return text;
}

// The text with the table put between its markers, or nothing when they are missing.
std::optional<std::string> with_table(const std::string& text, const std::string& name,
                                      const std::string& table) {
  const std::size_t open = text.find("<!-- " + name + ":");
  const std::size_t begin = open == std::string::npos ? open : text.find('\n', open);
  const std::size_t end =
      begin == std::string::npos ? begin : text.find("<!-- /" + name + " -->", begin);
  if (end == std::string::npos) {
    std::cerr << "ha_docs: no lines '<!-- " << name << ": ... -->' and '<!-- /" << name
              << " -->' to put the table between\n";
    return std::nullopt;
  }
  return text.substr(0, begin + 1) + "\n" + table + "\n" + text.substr(end);
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 3 && std::string(argv[1]) == "--check";
  if (argc != (check ? 3 : 2)) {
    std::cerr << "usage: ha_docs [--check] README.md\n";
    return 2;
  }
  const std::string path = argv[argc - 1];
  const auto before = read_file(path);
  const std::string folder = path.substr(0, path.find_last_of('/') + 1);
  const auto host = read_file(folder + "plugin_api/examples/minimal_host.c");
  if (!before || !host) return 2;
  auto after = with_table(*before, "options", options_table());
  if (after) after = with_table(*after, "metrics", metrics_table());
  if (after) after = with_table(*after, "minimal_host", "```c\n" + *host + "```\n");
  if (!after) return 2;
  if (check) {
    if (*after == *before) return 0;
    std::cerr << "ha_docs: the tables in '" << path << "' are out of date: run ./run docs\n";
    return 1;
  }
  std::ofstream(path) << *after;
  return 0;
}
