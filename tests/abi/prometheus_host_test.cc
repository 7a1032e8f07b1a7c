// SPDX-License-Identifier: Apache-2.0
// A host that uses prometheus-cpp itself, from the same shared library as the plugin: one copy of
// the code in the process, but registries, collectables and servers of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "test_node.h"

namespace ha::test {
namespace {

using testing::HasSubstr;
using testing::Not;

struct HostMetrics {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  prometheus::Counter& requests = prometheus::BuildCounter()
                                      .Name("host_requests_total")
                                      .Help("Requests")
                                      .Register(*registry)
                                      .Add({});
  std::string text() const { return prometheus::TextSerializer{}.Serialize(registry->Collect()); }
};

TEST(PrometheusHost, BothSidesSeeTheirOwnMetricsOnly) {
  HostMetrics host;
  host.requests.Increment(3);
  {
    TestNode node;
    node.start(HA_ROLE_MASTER);
    const std::string plugins = node.instance.metrics_text().value();
    EXPECT_THAT(plugins, HasSubstr("# TYPE ha_"));
    EXPECT_THAT(plugins, Not(HasSubstr("host_requests_total")));
    EXPECT_THAT(host.text(), HasSubstr("host_requests_total 3"));
    EXPECT_THAT(host.text(), Not(HasSubstr("ha_")));
  }
  host.requests.Increment();
  EXPECT_THAT(host.text(), HasSubstr("host_requests_total 4")) << "also after the plugin has gone";
}

TEST(PrometheusHost, BothSidesServeAtOnce) {
  HostMetrics host;
  prometheus::Exposer exposer("127.0.0.1:0");
  exposer.RegisterCollectable(host.registry);
  {
    TestNode node(Options{{"metrics_listen", "127.0.0.1:0"}});
    node.start(HA_ROLE_MASTER);
    const std::int64_t port = node.instance.snapshot().value().values.metrics_port;
    EXPECT_GT(port, 0);
    EXPECT_NE(port, exposer.GetListeningPorts().at(0));
  }
  EXPECT_GT(exposer.GetListeningPorts().at(0), 0);
}

}  // namespace
}  // namespace ha::test
