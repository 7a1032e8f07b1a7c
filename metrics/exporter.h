// SPDX-License-Identifier: Apache-2.0
// HaMetrics as Prometheus sees it: as text, for hosts with an endpoint of their own, or served over
// HTTP.
//
// No prometheus-cpp type appears here, so that only exporter.cc is compiled against it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "metrics/ha_metrics.h"
#include "metrics/scrape_door.h"

namespace ha::metrics {

class ScrapeServer;

struct MetricDoc {
  std::string name;
  std::string type;    // counter, gauge, histogram
  std::string labels;  // "id, reason"; "" = none
  std::string help;
};

class Exporter {
 public:
  // metrics must outlive the exporter.
  explicit Exporter(const HaMetrics& metrics);
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // Serves GET /metrics on "ADDR:PORT" or "[V6]:PORT" (port 0: the system picks), to those whom
  // door lets in. Returns "" or one sentence: the address, why it cannot be served, and the way
  // out. Threads: one of its own; see scrape_server.h. serve and stop: one thread at a time.
  std::string serve(const std::string& address, std::unique_ptr<ScrapeDoor> door = nullptr);
  // Ends serving and joins its thread. Nothing happens when not serving.
  void stop();
  // 0 when not serving.
  int port() const;

  // Everything in the text format. Any thread.
  std::string text() const;

  // Every metric there can be, for the tables of the documents and the tests.
  static std::vector<MetricDoc> documentation();

 private:
  const HaMetrics& metrics_;
  std::unique_ptr<ScrapeServer> server_;
};

}  // namespace ha::metrics
