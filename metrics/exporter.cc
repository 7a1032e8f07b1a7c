#include "metrics/exporter.h"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <chrono>

#include "metrics/families.h"
#include "metrics/scrape_server.h"

namespace ha::metrics {
namespace {

class Collector : public prometheus::Collectable {
 public:
  explicit Collector(const HaMetrics& metrics) : metrics_(metrics) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return collect_families(metrics_,
                            std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  }

 private:
  const HaMetrics& metrics_;
};

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

struct Exporter::Impl {
  explicit Impl(const HaMetrics& metrics) : collector(std::make_shared<Collector>(metrics)) {}

  // The server holds it weakly, and is destroyed first.
  std::shared_ptr<Collector> collector;
  ScrapeServer server;
};

Exporter::Exporter(const HaMetrics& metrics) : impl_(std::make_unique<Impl>(metrics)) {}
Exporter::~Exporter() = default;

std::string Exporter::serve(const std::string& address) {
  return impl_->server.start(address, impl_->collector);
}

void Exporter::stop() { impl_->server.stop(); }

int Exporter::port() const { return impl_->server.port(); }

std::string Exporter::text() const {
  return prometheus::TextSerializer{}.Serialize(impl_->collector->Collect());
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
