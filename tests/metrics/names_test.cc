// SPDX-License-Identifier: Apache-2.0
#include "metrics/names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace ha::metrics {
namespace {

// The #defines of plugin.h whose names begin with prefix: the rest of the name -> the number.
std::map<std::string, int> defines(const std::string& prefix) {
  std::ifstream header(HA_SOURCE_DIR "/plugin_api/include/ha/plugin.h");
  std::map<std::string, int> result;
  for (std::string line; std::getline(header, line);) {
    std::istringstream words(line);
    std::string define;
    std::string name;
    std::string number;
    words >> define >> name >> number;
    if (define != "#define" || !name.starts_with(prefix)) continue;
    if (number.starts_with('(')) number = number.substr(1);
    if (number.empty() || number.find_first_of("-0123456789") != 0 || number.ends_with('u'))
      continue;
    result[name.substr(prefix.size())] = std::stoi(number);
  }
  return result;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

TEST(Names, EveryReasonStateAndRoleOfTheHeaderHasItsName) {
  const auto reasons = defines("HA_REASON_");
  const auto states = defines("HA_STATE_");
  const auto roles = defines("HA_ROLE_");
  EXPECT_GE(reasons.size(), 21u);
  EXPECT_EQ(states.size(), 5u);
  EXPECT_EQ(roles.size(), 3u);
  for (const auto& [name, number] : reasons) EXPECT_EQ(reason_name(number), lower(name));
  const auto events = defines("HA_REPLICA_");
  EXPECT_EQ(events.size(), 6u);
  for (const auto& [name, number] : events) EXPECT_EQ(event_name(number), lower(name));
  for (const auto& [name, number] : states) EXPECT_EQ(state_name(number), lower(name));
  for (const auto& [name, number] : roles) EXPECT_EQ(role_name(number), lower(name));
}

TEST(Names, EveryStatusOfTheHeaderHasItsNameAndLabel) {
  auto negatives = defines("HA_");
  std::erase_if(negatives,
                [](const auto& d) { return d.second >= 0 || d.first.starts_with("ACKS_"); });
  EXPECT_GE(negatives.size(), 19u);
  for (const auto& [name, number] : negatives) {
    EXPECT_EQ(status_name(number), name);
    EXPECT_EQ(status_label(number), lower(name));
  }
  EXPECT_STREQ(status_name(0), "OK");
  EXPECT_STREQ(status_name(1), "DONE");
  EXPECT_STREQ(status_label(1), "done");
}

TEST(Names, UnknownNumbersSayThatTheyAreUnknown) {
  for (const int number : {-1000, 999}) {
    EXPECT_STREQ(reason_name(number), "unknown");
    EXPECT_STREQ(state_name(number), "unknown");
    EXPECT_STREQ(role_name(number), "unknown");
    EXPECT_STREQ(status_name(number), "UNKNOWN");
    EXPECT_STREQ(status_label(number), "unknown");
  }
}

}  // namespace
}  // namespace ha::metrics
