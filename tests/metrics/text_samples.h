// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format, as far as tests need it: "name{labels}" -> value as it is written.
#pragma once

#include <map>
#include <sstream>
#include <string>

namespace ha::metrics {

inline std::map<std::string, std::string> samples_of(const std::string& text) {
  std::map<std::string, std::string> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.rfind(' ');
    samples[line.substr(0, space)] = line.substr(space + 1);
  }
  return samples;
}

}  // namespace ha::metrics
