// SPDX-License-Identifier: Apache-2.0
// promtool's own judgement of the metrics' text and the alert rules.
//
// HA_PROMTOOL names promtool (get_promtool.sh prints where it is). Without it these tests are
// skipped with one line, unless HA_REQUIRE_PROMTOOL=1 says that it must be there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "metrics/exporter.h"
#include "tests/metrics/populated.h"

namespace ha::metrics {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class Promtool : public testing::Test {
 protected:
  void SetUp() override {
    promtool_ = environment("HA_PROMTOOL");
    if (promtool_.empty() || access(promtool_.c_str(), X_OK) != 0) {
      const std::string why = "HA_PROMTOOL='" + promtool_ +
                              "' is not a program (set it to what tests/metrics/get_promtool.sh "
                              "prints)";
      if (environment("HA_REQUIRE_PROMTOOL") == "1") FAIL() << why;
      GTEST_SKIP() << why;
    }
    std::string name = (fs::temp_directory_path() / "ha_promtool.XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  // Runs it inside folder_; what it prints comes back, and whether it was content.
  std::pair<bool, std::string> run(const std::string& arguments) {
    const std::string command =
        "cd '" + folder_.string() + "' && '" + promtool_ + "' " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return {false, "cannot run " + command};
    std::string output;
    std::array<char, 4096> buffer{};
    while (const std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
      output.append(buffer.data(), n);
    }
    return {pclose(pipe) == 0, output};
  }

  std::string promtool_;
  fs::path folder_;
};

TEST_F(Promtool, FindsNoFaultInTheMetrics) {
  HaMetrics metrics;
  populate(metrics);
  std::ofstream(folder_ / "metrics.txt") << Exporter(metrics).text();
  const auto [content, output] = run("check metrics <metrics.txt");
  EXPECT_TRUE(content) << output;
  EXPECT_EQ(output, "");
}

TEST_F(Promtool, FindsNoFaultInTheMetricsOfAnIdleNode) {
  const HaMetrics metrics;
  std::ofstream(folder_ / "metrics.txt") << Exporter(metrics).text();
  const auto [content, output] = run("check metrics <metrics.txt");
  EXPECT_TRUE(content) << output;
  EXPECT_EQ(output, "");
}

TEST_F(Promtool, AcceptsTheAlertRules) {
  fs::copy_file(HA_SOURCE_DIR "/metrics/alerts/ha.rules.yml", folder_ / "ha.rules.yml");
  const auto [content, output] = run("check rules ha.rules.yml");
  EXPECT_TRUE(content) << output;
}

TEST_F(Promtool, SeesEachAlertFireInItsOwnSituation) {
  fs::copy_file(HA_SOURCE_DIR "/metrics/alerts/ha.rules.yml", folder_ / "ha.rules.yml");
  fs::copy_file(HA_SOURCE_DIR "/tests/metrics/ha.rules.test.yml", folder_ / "ha.rules.test.yml");
  const auto [content, output] = run("test rules ha.rules.test.yml");
  EXPECT_TRUE(content) << output;
}

}  // namespace
}  // namespace ha::metrics
