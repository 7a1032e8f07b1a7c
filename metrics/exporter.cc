// SPDX-License-Identifier: Apache-2.0
#include "metrics/exporter.h"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <utility>

#include "metrics/families.h"
#include "metrics/scrape_server.h"

namespace ha::metrics {
namespace {

const char* type_name(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Histogram:
      return "histogram";
    default:
      return "gauge";
  }
}

}  // namespace

Exporter::Exporter(const HaMetrics& metrics)
    : metrics_(metrics), server_(std::make_unique<ScrapeServer>()) {}
Exporter::~Exporter() = default;

std::string Exporter::serve(const std::string& address, std::unique_ptr<ScrapeDoor> door) {
  return server_->start(
      address, [this] { return text(); }, std::move(door));
}

void Exporter::stop() { server_->stop(); }

int Exporter::port() const { return server_->port(); }

std::string Exporter::text() const {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return prometheus::TextSerializer{}.Serialize(collect_families(
      metrics_, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
}

std::vector<MetricDoc> Exporter::documentation() {
  std::vector<MetricDoc> docs;
  for (const FamilySpec& spec : family_table()) {
    std::string labels;
    for (const char* label : spec.labels) {
      if (label == nullptr) continue;
      if (!labels.empty()) labels += ", ";
      labels += label;
    }
    docs.push_back({spec.name, type_name(spec.type), std::move(labels), spec.help});
  }
  return docs;
}

}  // namespace ha::metrics
