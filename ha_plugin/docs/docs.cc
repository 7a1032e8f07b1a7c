// SPDX-License-Identifier: Apache-2.0
// Writes the tables of the documents from the code that defines what they list.
//
//   ha_docs ROOT          rewrites what stands between the markers
//   ha_docs --check ROOT  changes nothing; exits with 1 when a table is out of date
//
// A table stands between the lines `<!-- NAME: ... -->` and `<!-- /NAME -->`.
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/config/settings.h"
#include "metrics/exporter.h"
#include "metrics/names.h"
#include "plugin_api/lists/numbers.h"

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

// The metrics from `first` up to the first one of the next group.
std::string metrics_table(const std::string& first, const std::string& next_first) {
  std::string t = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  bool inside = false;
  for (const ha::metrics::MetricDoc& m : ha::metrics::Exporter::documentation()) {
    inside = m.name == first || (inside && m.name != next_first);
    if (!inside) continue;
    t += "| `" + m.name + "` | " + m.type + " | " + m.labels + " | " + m.help + " |\n";
  }
  return t;
}

std::string violations() {
  std::string t;
  for (std::size_t reason = 0; reason < ha::lists::kReasonSlots; ++reason) {
    if (!ha::lists::is_of_kind(reason, ha::lists::kViolation)) continue;
    const char* name = ha::metrics::reason_name(static_cast<std::int32_t>(reason));
    t += (t.empty() ? "`" : ", `") + std::string(name) + "`";
  }
  return t + ".\n";
}

struct Table {
  std::string page;
  std::string name;
  std::string text;
};

// In the order of the pages; every group of metrics begins where the one before it ends.
std::vector<Table> all_tables() {
  const struct {
    const char* name;
    const char* first;
  } groups[] = {{"metrics-node", "ha_build_info"},
                {"metrics-connections", "ha_connections"},
                {"metrics-replicas", "ha_replica_info"},
                {"metrics-waits", "ha_ack_latency_seconds"},
                {"metrics-client", "ha_client_connected"}};
  std::vector<Table> tables = {{"docs/options.md", "options", options_table()}};
  for (std::size_t i = 0; i < std::size(groups); ++i) {
    const char* next = i + 1 < std::size(groups) ? groups[i + 1].first : "";
    tables.push_back({"metrics/README.md", groups[i].name, metrics_table(groups[i].first, next)});
  }
  tables.push_back({"metrics/README.md", "violations", violations()});
  return tables;
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
std::optional<std::string> with_table(const std::string& text, const Table& table) {
  const std::size_t open = text.find("<!-- " + table.name + ":");
  const std::size_t begin = open == std::string::npos ? open : text.find('\n', open);
  const std::size_t end =
      begin == std::string::npos ? begin : text.find("<!-- /" + table.name + " -->", begin);
  if (end == std::string::npos) {
    std::cerr << "ha_docs: '" << table.page << "' lacks the lines '<!-- " << table.name
              << ": ... -->' and '<!-- /" << table.name << " -->' to put the table between\n";
    return std::nullopt;
  }
  return text.substr(0, begin + 1) + "\n" + table.text + "\n" + text.substr(end);
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 3 && std::string(argv[1]) == "--check";
  if (argc != (check ? 3 : 2)) {
    std::cerr << "usage: ha_docs [--check] ROOT\n";
    return 2;
  }
  const std::string root = std::string(argv[argc - 1]) + "/";
  int status = 0;
  for (const Table& table : all_tables()) {
    const auto before = read_file(root + table.page);
    const auto after = before ? with_table(*before, table) : std::nullopt;
    if (!after) return 2;
    if (*after == *before) continue;
    if (check) {
      std::cerr << "ha_docs: table '" << table.name << "' in '" << table.page
                << "' is out of date: run ./run docs\n";
      status = 1;
    } else {
      std::ofstream(root + table.page) << *after;
    }
  }
  return status;
}
