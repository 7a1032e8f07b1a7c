// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "metrics/exporter.h"
#include "metrics/families.h"
#include "tests/metrics/populated.h"

namespace ha::metrics {
namespace {

std::set<std::string> documented() {
  std::set<std::string> names;
  for (const MetricDoc& doc : Exporter::documentation()) names.insert(doc.name);
  return names;
}

std::string file(const std::string& path) {
  std::ifstream in(HA_SOURCE_DIR "/" + path);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// What text mentions that looks like a metric, without a histogram's suffixes.
std::set<std::string> mentioned(const std::string& text) {
  const auto in_word = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  std::set<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && in_word(text[end])) ++end;
    std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    if (!word.starts_with("ha_") || word == "ha_") continue;  // "ha_" alone is the prefix
    for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
      if (word == "ha_ack_latency_seconds" + suffix) word.resize(word.size() - suffix.size());
    }
    names.insert(word);
  }
  return names;
}

TEST(Documentation, HasEveryFamilyOnceWithHelpAndType) {
  const auto docs = Exporter::documentation();
  EXPECT_EQ(documented().size(), docs.size());
  for (const MetricDoc& doc : docs) {
    EXPECT_FALSE(doc.help.empty()) << doc.name;
    EXPECT_EQ(doc.type == "counter", doc.name.ends_with("_total")) << doc.name;
    EXPECT_TRUE(doc.name.starts_with("ha_")) << doc.name;
  }
}

TEST(Documentation, IsWhatTheCollectorFills) {
  HaMetrics metrics;
  populate(metrics);
  std::set<std::string> filled;
  for (const auto& family : collect_families(metrics, kNowNs)) {
    if (!family.metric.empty()) filled.insert(family.name);
  }
  EXPECT_EQ(filled, documented());
}

TEST(Documentation, LabelsAreThoseOfTheSamples) {
  HaMetrics metrics;
  populate(metrics);
  const auto families = collect_families(metrics, kNowNs);
  const auto docs = Exporter::documentation();
  ASSERT_EQ(families.size(), docs.size());
  for (std::size_t i = 0; i < docs.size(); ++i) {
    for (const auto& metric : families[i].metric) {
      std::string labels;
      for (const auto& label : metric.label) labels += (labels.empty() ? "" : ", ") + label.name;
      EXPECT_EQ(labels, docs[i].labels) << docs[i].name;
    }
  }
}

TEST(Documentation, AlertsDashboardAndReadmeMentionOnlyMetricsThatExist) {
  for (const char* path :
       {"metrics/alerts/ha.rules.yml", "metrics/dashboards/ha.json", "metrics/README.md"}) {
    const auto names = mentioned(file(path));
    EXPECT_GE(names.size(), 10u) << path;
    for (const std::string& name : names) {
      EXPECT_TRUE(documented().contains(name) || name == "ha_metrics" || name == "ha_plugin" ||
                  name == "ha_stub")
          << path << " mentions " << name;
    }
  }
}

TEST(Documentation, ReadmeExplainsEveryMetric) {
  const auto names = mentioned(file("metrics/README.md"));
  for (const std::string& name : documented()) {
    EXPECT_TRUE(names.contains(name)) << "metrics/README.md lacks " << name;
  }
}

}  // namespace
}  // namespace ha::metrics
